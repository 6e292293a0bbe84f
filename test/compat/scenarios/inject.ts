import { once } from 'node:events'
import * as http from 'node:http'
import { install } from '@sinonjs/fake-timers'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { WebSocket } from 'ws'
import { until } from '../../helpers/limit'
import type { Stage } from '../recorder'
import type { Scenario } from '../scenario'

/** An application that is ready and does not listen. */
async function quiet (stage: Stage, declare: (app: FastifyInstance) => unknown, plugin = {}): Promise<FastifyInstance> {
  const app = await stage.start(declare, { listen: false, plugin })
  await app.ready()
  return app
}

function echo (app: FastifyInstance): void {
  app.get('/', { websocket: true }, socket => { socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) }) })
}

const scenarios: Scenario[] = [
  {
    name: 'injectWS gives an open socket of ws',
    differs: ['inject-is-real'],
    diff: [
      'log - info: incoming request | req GET /  | { reqId: "req-1" }',
      'log + info: incoming request | req GET / localhost | { reqId: "req-1" }'
    ],
    logLevel: 'info',
    async run (stage) {
      const app = await quiet(stage, echo)
      const client = await stage.inject(app, '/')
      stage.record('client', client?.socket instanceof WebSocket, client?.socket.readyState)
      client?.send('text')
      await client?.next()
      client?.send(Buffer.from('bytes'))
      await client?.next()
      client?.socket.terminate()
    }
  },
  {
    name: 'injectWS: the path is / by default, and may have a query',
    async run (stage) {
      const app = await quiet(stage, app => {
        app.get('/', { websocket: true }, (socket, request) => { stage.record('handler', request.url, request.query, request.ws, request.method) })
        app.get('/a/:b', { websocket: true }, (socket, request) => { stage.record('handler', request.url, request.query, request.params) })
      })
      const clients = [await stage.inject(app), await stage.inject(app, '/a/x?q=1')]
      for (const client of clients) client?.socket.terminate()
    }
  },
  {
    name: 'injectWS: headers reach the request',
    async run (stage) {
      const app = await quiet(stage, app => {
        app.addHook('preHandler', async (request, reply) => {
          if (request.headers.authorization !== 'secret') await reply.code(401).send('no')
        })
        app.get('/', { websocket: true }, (socket, request) => { stage.record('handler', request.headers.authorization, request.headers['x-own'], request.headers.upgrade) })
      })
      const client = await stage.inject(app, '/', { headers: { authorization: 'secret', 'x-own': 'a' } })
      client?.socket.terminate()
      await stage.inject(app, '/', { headers: {} })
    }
  },
  {
    name: 'injectWS: other properties land on the raw request',
    async run (stage) {
      const app = await quiet(stage, app => {
        app.get('/', { websocket: true }, (socket, request) => {
          const raw = request.raw as typeof request.raw & { session?: unknown }
          stage.record('handler', raw.session, request.ip, request.socket.remoteAddress)
        })
      })
      const client = await stage.inject(app, '/', { session: { user: 'ann' }, socket: { remoteAddress: '10.0.0.1' } } as never)
      client?.socket.terminate()
    }
  },
  {
    name: 'injectWS rejects with the status of a refusal',
    differs: ['inject-is-real'],
    diff: [
      'log - error: broken | req GET /broken  | res 500 | err Error: broken | { reqId: "req-2" }',
      'log + error: broken | req GET /broken localhost | res 500 | err Error: broken | { reqId: "req-2" }'
    ],
    async run (stage) {
      const app = await quiet(stage, app => {
        app.addHook('onRequest', async (request, reply) => {
          if (request.url === '/teapot') await reply.code(418).send({ no: 'coffee' })
          if (request.url === '/broken') throw new Error('broken')
        })
        for (const path of ['/teapot', '/broken']) app.get(path, { websocket: true }, () => { stage.record('never') })
      })
      await stage.inject(app, '/teapot')
      await stage.inject(app, '/broken')
      await stage.inject(app, '/nowhere')
    }
  },
  {
    name: 'the rejection of injectWS has the code, the status, the headers and the body',
    differs: ['error-details'],
    diff: [
      'app - error undefined undefined undefined undefined',
      'app + error "FST_WS_INJECT_REFUSED" 401 "token" "{\\"why\\":\\"token\\"}"'
    ],
    async run (stage) {
      const app = await quiet(stage, app => {
        app.addHook('onRequest', async (request, reply) => await reply.code(401).header('x-why', 'token').send({ why: 'token' }))
        echo(app)
      })
      const error = await app.injectWS('/').catch(error => error)
      stage.record('error', error.code, error.statusCode, error.headers?.['x-why'], error.body)
    }
  },
  {
    name: 'onInit and onOpen of injectWS get the socket before it is open and when it is',
    async run (stage) {
      const app = await quiet(stage, echo)
      let inInit: unknown
      const client = await stage.inject(app, '/', {}, {
        onInit (socket) {
          inInit = socket
          stage.record('onInit', socket, socket.readyState)
          socket.on('open', () => { stage.record('open') })
        },
        onOpen (socket) { stage.record('onOpen', socket === inInit, socket.readyState) }
      })
      stage.record('resolved', client?.socket === inInit)
      client?.socket.terminate()
    }
  },
  {
    name: 'injectWS rejects with what onInit throws, and the application sees nothing of it',
    async run (stage) {
      const app = await quiet(stage, app => { app.get('/', { websocket: true }, () => { stage.record('never') }) })
      await stage.attempt('injectWS', () => app.injectWS('/', {}, { onInit () { throw new RangeError('in onInit') } }))
      stage.record('clients', app.websocketServer.clients.size)
    }
  },
  {
    name: 'injectWS: what is no function counts as left out',
    async run (stage) {
      const app = await quiet(stage, echo)
      const socket = await app.injectWS('/', {}, { onInit: true, onOpen: 'open' } as never)
      stage.record('open', socket.readyState)
      socket.terminate()
    }
  },
  {
    name: 'injectWS rejects with what onOpen throws, or onInit and onOpen reject with, and ends the client',
    oursOnly: true,
    differs: ['inject-callbacks-guarded'],
    async run (stage) {
      const app = await quiet(stage, app => { app.get('/', { websocket: true }, socket => { stage.watch(socket) }) })
      await stage.attempt('onOpen throws', () => app.injectWS('/', {}, { onOpen () { throw new RangeError('in onOpen') } }))
      await stage.attempt('onOpen rejects', () => app.injectWS('/', {}, { async onOpen () { throw new RangeError('in onOpen') } }))
      await until(() => app.websocketServer.clients.size === 0, 'both closed')
      await stage.attempt('onInit rejects', () => app.injectWS('/', {}, { async onInit () { throw new RangeError('in onInit') } }))
    },
    expect: {
      app: ['socket close 1006 ""', 'socket close 1006 ""'],
      test: [
        'onOpen throws threw RangeError: in onOpen',
        'onOpen rejects threw RangeError: in onOpen',
        'onInit rejects threw RangeError: in onInit'
      ]
    }
  },
  {
    name: 'injectWS: a message that the handler sends at once reaches a listener of onInit',
    async run (stage) {
      const app = await quiet(stage, app => { app.get('/', { websocket: true }, socket => { socket.send('at once') }) })
      const received = new Promise<void>(resolve => {
        app.injectWS('/', {}, {
          onInit (socket) {
            socket.on('message', data => {
              stage.record('message', String(data))
              socket.terminate()
              resolve()
            })
          }
        }).catch(error => { stage.record('error', error) })
      })
      await received
    }
  },
  {
    name: 'injectWS: a message that the handler sends at once reaches a listener added after the await',
    oursOnly: true,
    differs: ['inject-is-real'],
    async run (stage) {
      const app = await quiet(stage, app => { app.get('/', { websocket: true }, socket => { socket.send('at once') }) })
      const client = stage.client(await app.injectWS('/'))
      await client.next()
      await client.close()
    },
    expect: {
      'client 1': ['open protocol "" extensions ""', 'message text "at once"', 'close 1005 ""']
    }
  },
  {
    name: 'injectWS runs every hook',
    async run (stage) {
      const app = await quiet(stage, app => {
        stage.hooks(app, 'app', ['onRequest', 'preValidation', 'preHandler', 'onSend', 'onResponse', 'onError'])
        app.get('/', { websocket: true }, function handle (socket, request) { stage.record('handler', this, request.ws) })
      })
      const client = await stage.inject(app, '/')
      client?.socket.terminate()
    }
  },
  {
    name: 'injectWS in an application with onTimeout and onRequestAbort hooks',
    oursOnly: true,
    differs: ['inject-is-real'],
    async run (stage) {
      const app = await quiet(stage, app => {
        stage.hooks(app, 'app')
        app.get('/', { websocket: true }, () => { stage.record('handler') })
      })
      const client = await stage.inject(app, '/')
      await client?.close(1000)
    },
    expect: {
      app: [
        'app onRequest <root> <request> <reply> "upgrade"',
        'app preParsing <root> <request> <reply> <rawRequest> "upgrade"',
        'app preValidation <root> <request> <reply> "upgrade"',
        'app preHandler <root> <request> <reply> "upgrade"',
        'handler'
      ],
      'client 1': ['open protocol "" extensions ""', 'close 1000 ""'],
      test: ['injectWS: <socket>']
    }
  },
  {
    name: 'injectWS: the server side closes with a code',
    async run (stage) {
      const app = await quiet(stage, app => {
        app.get('/', { websocket: true }, socket => { socket.on('message', () => { socket.close(4000, 'enough') }) })
      })
      const client = await stage.inject(app, '/')
      client?.send('go')
      await client?.closed()
    }
  },
  {
    name: 'injectWS: a close is finished on both sides',
    oursOnly: true,
    differs: ['inject-is-real'],
    async run (stage) {
      const app = await quiet(stage, app => {
        app.get('/', { websocket: true }, socket => {
          stage.watch(socket)
          socket.on('message', () => { socket.close(4000, 'enough') })
        })
      })
      const client = await stage.inject(app, '/')
      client?.send('go')
      await client?.closed()
      await stage.saw('app', 'socket close')
    },
    expect: {
      app: ['socket message text "go"', 'socket close 4000 "enough"'],
      'client 1': ['open protocol "" extensions ""', 'close 4000 "enough"'],
      test: ['injectWS: <socket>']
    }
  },
  {
    name: 'injectWS: terminate is seen on the other side',
    async run (stage) {
      const app = await quiet(stage, app => { app.get('/', { websocket: true }, socket => { stage.watch(socket) }) })
      const client = await stage.inject(app, '/')
      client?.socket.terminate()
      await stage.saw('app', 'socket close')
    }
  },
  {
    name: 'injectWS: a handler that throws',
    async run (stage) {
      const app = await quiet(stage, app => { app.get('/', { websocket: true }, () => { throw new Error('thrown') }) })
      const client = await stage.inject(app, '/')
      await client?.closed()
    }
  },
  {
    name: 'injectWS several times at once',
    async run (stage) {
      const app = await quiet(stage, echo)
      const sockets = await Promise.all([app.injectWS(), app.injectWS(), app.injectWS()])
      stage.record('clients', app.websocketServer.clients.size)
      await Promise.all(sockets.map(async (socket, index) => {
        socket.send(`number ${index}`)
        const [data] = await once(socket, 'message')
        stage.write(`number ${index}`, String(data))
      }))
      for (const socket of sockets) socket.terminate()
    }
  },
  {
    name: 'injectWS with the option server',
    async run (stage) {
      const app = await quiet(stage, echo, { options: { server: http.createServer() } })
      const client = await stage.inject(app, '/')
      client?.send('through the other server')
      await client?.next()
      client?.socket.terminate()
    }
  },
  {
    name: 'injectWS to a plain route and with a listening application',
    async run (stage) {
      const app = await stage.start(app => { app.get('/', async () => 'plain') })
      const client = await stage.inject(app, '/')
      await client?.closed()
    }
  },
  {
    name: 'injectWS closes when the application does',
    async run (stage) {
      const app = await quiet(stage, echo)
      const client = await stage.inject(app, '/')
      const closed = app.close()
      await client?.closed()
      await closed
    }
  },
  {
    name: 'injectWS before the application is ready waits for it',
    oursOnly: true,
    differs: ['inject-waits-for-ready'],
    async run (stage) {
      const app = await stage.start(app => {
        app.register(async child => { child.get('/late', { websocket: true }, () => { stage.record('handler') }) })
      }, { listen: false })
      const client = await stage.inject(app, '/late')
      client?.socket.terminate()
    },
    expect: {
      app: ['handler'],
      'client 1': ['open protocol "" extensions ""'],
      test: ['injectWS: <socket>']
    }
  },
  {
    name: 'injectWS in an onReady hook does not wait for the hook',
    async run (stage) {
      const app = await stage.start(app => {
        echo(app)
        app.addHook('onReady', async () => {
          const client = await stage.inject(app, '/')
          client?.send('in the hook')
          await client?.next()
          client?.socket.terminate()
        })
        app.addHook('onReady', async () => { stage.record('the next hook') })
      }, { listen: false })
      await app.ready()
    }
  },
  {
    name: 'injectWS while onReady hooks run waits for the last one',
    oursOnly: true,
    differs: ['inject-waits-for-ready'],
    expect: { app: ['a hook begins', 'a hook ends', 'handler'] },
    async run (stage) {
      let proceed = (): void => {}
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, () => { stage.record('handler') })
        app.addHook('onReady', async () => {
          stage.record('a hook begins')
          await new Promise<void>(resolve => { proceed = resolve })
          stage.record('a hook ends')
        })
      }, { listen: false })
      const ready = app.ready()
      await stage.saw('app', 'begins')
      const injected = app.injectWS('/')
      await new Promise(resolve => setTimeout(resolve))
      proceed()
      ;(await injected).terminate()
      await ready
    }
  },
  {
    name: 'injectWS on an instance of a scope starts the whole application',
    oursOnly: true,
    differs: ['inject-waits-for-ready'],
    expect: { app: ['onReady of the root', 'handler', 'handler'] },
    async run (stage) {
      let scope: FastifyInstance | undefined
      const app = await stage.start(async app => {
        app.addHook('onReady', async () => { stage.record('onReady of the root') })
        await app.register(async child => {
          await child.register(stage.plugin)
          child.get('/', { websocket: true }, () => { stage.record('handler') })
          scope = child
        })
      }, { plugin: false, listen: false })
      const sockets = await Promise.all([scope?.injectWS('/'), scope?.injectWS('/')])
      for (const socket of sockets) socket?.terminate()
      await app.close()
    }
  },
  {
    name: 'injectWS under a mocked clock opens, echoes, and the clock of the handler is the mocked one',
    async run (stage) {
      const app = await quiet(stage, app => {
        app.get('/', { websocket: true }, socket => {
          const timer = setInterval(() => { socket.send('tick') }, 1000)
          socket.on('message', data => { socket.send(`echo ${data}`) })
          socket.on('close', () => { clearInterval(timer) })
        })
      })
      // Where process.nextTick is mocked too, no stream of Node works.
      const clock = install({ toNotFake: ['nextTick'] })
      try {
        const client = await stage.inject(app, '/')
        client?.send('hello')
        await client?.next()
        clock.tick(2000)
        await client?.next()
        await client?.next()
        client?.socket.terminate()
        await stage.inject(app, '/nowhere')
      } finally {
        clock.uninstall()
      }
    }
  },
  {
    name: 'injectWS: what the HTTP server refuses is refused',
    differs: ['inject-is-real'],
    diff: ['test - injectWS: <socket>', 'test + injectWS threw Error: Unexpected server response: 431'],
    async run (stage) {
      const app = stage.create({ fastify: { http: { maxHeaderSize: 1000 } } as FastifyServerOptions })
      await app.register(stage.plugin)
      echo(app)
      await app.ready()
      await stage.attempt('injectWS', () => app.injectWS('/', { headers: { cookie: 'c'.repeat(1000) } }))
    }
  },
  {
    name: 'injectWS: the raw request is a request as over the network',
    differs: ['inject-is-real'],
    diff: [
      'app - raw false "number" undefined',
      'app + raw true "string" "localhost"'
    ],
    async run (stage) {
      const app = await quiet(stage, app => {
        app.get('/', { websocket: true }, (socket, request) => {
          stage.record('raw', request.raw instanceof http.IncomingMessage, typeof request.headers['sec-websocket-version'], request.headers.host)
          socket.close()
        })
      })
      const client = await stage.inject(app, '/', { headers: { 'X-Upper': 'case' } })
      await client?.closed()
    }
  },
  {
    name: 'injectWS: what a request of the network has',
    oursOnly: true,
    differs: ['inject-is-real'],
    async run (stage) {
      const app = await quiet(stage, app => {
        app.get('/', { websocket: true }, (socket, request) => {
          stage.record('request', request.ip, request.protocol, request.host, request.hostname, request.headers['x-upper'], request.raw.httpVersion)
          stage.record('signal', request.signal.aborted)
        })
      })
      const client = await stage.inject(app, '/', { headers: { 'X-Upper': 'case' } })
      await client?.close(1000, 'done')
    },
    expect: {
      app: ['request "127.0.0.1" "http" "localhost" "localhost" "case" "1.1"', 'signal false'],
      'client 1': ['open protocol "" extensions ""', 'close 1000 "done"'],
      test: ['injectWS: <socket>']
    }
  },
  {
    name: 'injectWS: subprotocols and compression are negotiated',
    oursOnly: true,
    differs: ['inject-is-real'],
    async run (stage) {
      const app = await quiet(stage, echo, { options: { perMessageDeflate: true, handleProtocols: () => 'two' } })
      const client = await stage.inject(app, '/', { headers: { 'sec-websocket-protocol': 'one, two', 'sec-websocket-extensions': 'permessage-deflate' } })
      await client?.close()
    },
    expect: {
      'client 1': ['open protocol "two" extensions "permessage-deflate"', 'close 1005 ""'],
      test: ['injectWS: <socket>']
    }
  },
  {
    name: 'injectWS: a subprotocol that was not offered is an error of the client',
    oursOnly: true,
    differs: ['inject-is-real'],
    async run (stage) {
      const app = await quiet(stage, echo, { options: { handleProtocols: () => 'other' } })
      await stage.inject(app, '/', { headers: { 'sec-websocket-protocol': 'one' } })
    },
    expect: {
      test: [
        'injectWS threw FastifyError [FST_WS_INJECT_FAILED]: injectWS got no answer: Server sent an invalid subprotocol { cause: Error: Server sent an invalid subprotocol, statusCode: undefined }'
      ]
    }
  },
  {
    name: 'injectWS: onInit runs at once where the application is ready',
    async run (stage) {
      const app = await quiet(stage, echo)
      let isReturned = false
      const injected = app.injectWS('/', {}, { onInit () { stage.record('onInit', isReturned ? 'later' : 'at once') } })
      isReturned = true
      ;(await injected).terminate()
    }
  },
  {
    name: 'injectWS: waits for an application that is not ready',
    oursOnly: true,
    differs: ['inject-waits-for-ready'],
    expect: { app: ['onInit "later"'] },
    async run (stage) {
      const app = await stage.start(echo, { listen: false })
      let isReturned = false
      const injected = app.injectWS('/', {}, { onInit () { stage.record('onInit', isReturned ? 'later' : 'at once') } })
      isReturned = true
      ;(await injected).terminate()
    }
  },
  {
    name: 'injectWS: both sides close at once',
    oursOnly: true,
    differs: ['inject-is-real'],
    async run (stage) {
      const app = await quiet(stage, app => {
        app.get('/', { websocket: true }, socket => {
          stage.watch(socket)
          socket.on('message', () => { socket.close(1000) })
        })
      })
      const client = await stage.inject(app, '/')
      client?.send('close')
      await client?.close(1000)
      await stage.saw('app', 'socket close')
      await app.close()
    },
    expect: {
      app: ['socket message text "close"', 'socket close 1000 ""'],
      'client 1': ['open protocol "" extensions ""', 'close 1000 ""'],
      test: ['injectWS: <socket>']
    }
  }
]

// The host that the log tells is a difference of its own, which one scenario is enough for.
export const inject: Scenario[] = scenarios.map(scenario => scenario.oursOnly ? scenario : { logLevel: 'warn', ...scenario })
