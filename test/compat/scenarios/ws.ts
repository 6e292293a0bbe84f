import { once } from 'node:events'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { WebSocket, type WebSocketServer } from 'ws'
import { closeFrame, frame } from '../../helpers/frames'
import { answerTo, connectStream } from '../../helpers/http2-clients'
import { until } from '../../helpers/limit'
import type { Headers } from '../../helpers/raw-client'
import type { PluginOptions, Stage } from '../recorder'
import type { Scenario } from '../scenario'

type WsOptions = NonNullable<NonNullable<PluginOptions>['options']>

function echo (stage: Stage, options: PluginOptions = {}, prepare: (server: WebSocketServer) => unknown = () => {}) {
  return stage.start(app => {
    prepare(app.websocketServer)
    app.get('/', { websocket: true }, (socket, request) => {
      stage.record('handler', socket.protocol, socket.extensions, request.headers['sec-websocket-protocol'])
      socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
    })
  }, { plugin: options })
}

/** What verifyClient answers, and what the client sees. */
function verifying (name: string, verifyClient: (stage: Stage) => WsOptions['verifyClient'], rest: object = {}): Scenario {
  return {
    name: `verifyClient ${name}`,
    async run (stage) {
      const app = await echo(stage, { options: { verifyClient: verifyClient(stage) } })
      const client = await stage.connect(app, '/', { origin: 'http://origin.test' })
      await client.close()
    },
    ...rest
  } as Scenario
}

/** What handleProtocols answers, and what the client sees. */
function choosing (name: string, protocols: string[], handleProtocols: (stage: Stage) => WsOptions['handleProtocols']): Scenario {
  return {
    name: `subprotocols: ${name}`,
    async run (stage) {
      const chooser = handleProtocols(stage)
      const app = await echo(stage, chooser === undefined ? {} : { options: { handleProtocols: chooser } })
      const client = await stage.connect(app, '/', { protocols })
      await client.close()
    }
  }
}

/** A handshake that ws itself refuses. */
function malformed (name: string, headers: Headers): Scenario {
  return {
    name: `a handshake with ${name}`,
    async run (stage) {
      const app = await echo(stage)
      await stage.refused(app, '/', headers)
    }
  }
}

export const ws: Scenario[] = [
  verifying('lets in', stage => (...args: unknown[]) => {
    const [info] = args as [{ origin: string, secure: boolean, req: { url: string } }]
    stage.record('verifyClient', args.length, info.origin, info.secure, info.req, info.req.url)
    return true
  }),
  verifying('keeps out', () => () => false),
  verifying('answers with what is falsy', () => () => 0 as never),
  verifying('answers nothing', () => () => undefined as never),
  verifying('calls back and lets in', () => (info: unknown, next: (isIn: boolean) => void) => { next(true) }),
  verifying('calls back later and lets in', () => (info: unknown, next: (isIn: boolean) => void) => { setImmediate(next, true) }),
  verifying('calls back and keeps out', () => (info: unknown, next: (isIn: boolean) => void) => { next(false) }),
  {
    name: 'verifyClient calls back with a status, a message and headers',
    async run (stage) {
      const app = await echo(stage, {
        options: { verifyClient: (info, next) => { setImmediate(() => { next(false, 403, 'not you', { 'X-Why': 'a test' }) }) } }
      })
      await stage.refused(app)
    }
  },
  {
    name: 'verifyClient runs after the hooks, and the handler after it',
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app')
        app.websocketServer.on('connection', () => { stage.record('connection') })
        app.websocketServer.on('headers', () => { stage.record('headers') })
        app.get('/', { websocket: true }, socket => {
          stage.record('handler')
          socket.close()
        })
      }, {
        plugin: {
          options: {
            verifyClient: () => { stage.record('verifyClient'); return true },
            handleProtocols: protocols => { stage.record('handleProtocols', protocols); return false }
          }
        }
      })
      await (await stage.connect(app, '/', { protocols: ['a'] })).closed()
    }
  },
  {
    name: 'verifyClient that rejects, and one that resolves to false, refuse',
    oursOnly: true,
    logLevel: 'error',
    differs: ['verify-client-awaited'],
    async run (stage) {
      for (const verifyClient of [async () => false, async () => { throw new Error('no database') }]) {
        const app = await echo(stage, { options: { verifyClient } })
        await stage.refused(app)
      }
    },
    expect: {
      'http 1': [
        '401 Unauthorized',
        'connection: close',
        'content-type: text/html',
        'content-length: 12',
        'body Unauthorized',
        'end'
      ],
      'http 2': [
        '500 Internal Server Error',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 126',
        'date: <date>',
        'body {"statusCode":500,"code":"FST_WS_HANDSHAKE_FAILED","error":"Internal Server Error","message":"the websocket handshake failed"}',
        'end'
      ],
      log: ['error: no database | err Error: no database | { reqId: "req-1" }']
    }
  },
  {
    name: 'verifyClient that resolves to true lets in',
    async run (stage) {
      const app = await echo(stage, { options: { verifyClient: async () => true } })
      await (await stage.connect(app)).close()
    }
  },
  {
    name: 'what throws in the handshake is answered 500',
    oursOnly: true,
    logLevel: 'error',
    differs: ['handshake-guarded'],
    async run (stage) {
      const fail = () => { throw new Error('in the handshake') }
      await stage.refused(await echo(stage, { options: { verifyClient: fail } }))
      await stage.refused(await echo(stage, { options: { handleProtocols: fail } }), '/', { 'Sec-WebSocket-Protocol': 'a' })
      await stage.refused(await echo(stage, {}, server => { server.on('headers', fail) }))
    },
    expect: {
      'http 1': [
        '500 Internal Server Error',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 126',
        'date: <date>',
        'body {"statusCode":500,"code":"FST_WS_HANDSHAKE_FAILED","error":"Internal Server Error","message":"the websocket handshake failed"}',
        'end'
      ],
      'http 2': [
        '500 Internal Server Error',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 126',
        'date: <date>',
        'body {"statusCode":500,"code":"FST_WS_HANDSHAKE_FAILED","error":"Internal Server Error","message":"the websocket handshake failed"}',
        'end'
      ],
      'http 3': [
        '500 Internal Server Error',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 126',
        'date: <date>',
        'body {"statusCode":500,"code":"FST_WS_HANDSHAKE_FAILED","error":"Internal Server Error","message":"the websocket handshake failed"}',
        'end'
      ],
      log: [
        'error: in the handshake | err Error: in the handshake | { reqId: "req-1" }',
        'error: in the handshake | err Error: in the handshake | { reqId: "req-1" }',
        'error: in the handshake | err Error: in the handshake | { reqId: "req-1" }'
      ]
    }
  },
  {
    name: 'a verifyClient that never answers is answered 503',
    oursOnly: true,
    differs: ['handshake-guarded'],
    async run (stage) {
      const app = await echo(stage, { options: { verifyClient: () => new Promise(() => {}) }, handshakeTimeout: 30 })
      await stage.refused(app)
    },
    expect: {
      'http 1': [
        '503 Service Unavailable',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 148',
        'date: <date>',
        'body {"statusCode":503,"code":"FST_WS_HANDSHAKE_TIMEOUT","error":"Service Unavailable","message":"the websocket handshake was not answered within 30 ms"}',
        'end'
      ]
    }
  },
  choosing('none offered', [], () => undefined),
  choosing('the first one offered is taken by default', ['one', 'two'], () => undefined),
  choosing('handleProtocols chooses', ['one', 'two'], stage => (...args) => {
    const [protocols, request] = args
    stage.record('handleProtocols', args.length, protocols, request, request.url)
    return 'two'
  }),
  choosing('handleProtocols takes none', ['one'], () => () => false),
  choosing('handleProtocols takes one that was not offered', ['one'], () => () => 'other'),
  {
    ...choosing('handleProtocols takes its time', ['one', 'two'], () => (async () => 'two') as never),
    differs: ['protocols-awaited'],
    diff: [
      'app - handler {} "" "one,two"',
      'app + handler "two" "" "one,two"',
      'client 1 - error Error: Server sent an invalid subprotocol',
      'client 1 - close 1006 ""',
      'client 1 + open protocol "two" extensions ""',
      'client 1 + close 1005 ""'
    ]
  } as Scenario,
  {
    name: 'subprotocols: handleProtocols set on the running server',
    async run (stage) {
      const app = await echo(stage)
      app.websocketServer.options.handleProtocols = () => 'later'
      await (await stage.connect(app, '/', { protocols: ['sooner', 'later'] })).close()
    }
  },
  {
    name: 'verifyClient set on the running server',
    async run (stage) {
      const app = await echo(stage)
      app.websocketServer.options.verifyClient = () => false
      await stage.connect(app)
    }
  },
  malformed('an old version', { 'Sec-WebSocket-Version': '7' }),
  malformed('no version', { 'Sec-WebSocket-Version': undefined }),
  malformed('no key', { 'Sec-WebSocket-Key': undefined }),
  malformed('a key that is too short', { 'Sec-WebSocket-Key': 'short' }),
  malformed('subprotocols that cannot be read', { 'Sec-WebSocket-Protocol': 'a,,b' }),
  {
    name: 'extensions that cannot be read',
    async run (stage) {
      const app = await echo(stage, { options: { perMessageDeflate: true } })
      await stage.refused(app, '/', { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_max_window_bits=100' })
    }
  },
  {
    name: 'a wsClientError listener answers by itself',
    async run (stage) {
      const app = await echo(stage, {}, server => {
        server.on('wsClientError', (error, socket, request) => {
          stage.record('wsClientError', error, request)
          socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 3\r\n\r\nown')
        })
      })
      await stage.refused(app, '/', { 'Sec-WebSocket-Key': 'short' })
    }
  },
  {
    name: 'maxPayload: a message of that size is let through',
    async run (stage) {
      const app = await echo(stage, { options: { maxPayload: 10 } })
      const client = await stage.connect(app)
      client.send('0123456789')
      await client.next()
      await client.close()
    }
  },
  {
    name: 'perMessageDeflate: negotiated where both want it',
    async run (stage) {
      const app = await echo(stage, { options: { perMessageDeflate: { threshold: 0, serverNoContextTakeover: true } } })
      const compressed = await stage.connect(app, '/', { perMessageDeflate: true })
      compressed.send('a'.repeat(500))
      await compressed.next()
      await compressed.close()
      await (await stage.connect(app, '/', { perMessageDeflate: false })).close()
      await (await stage.connect(await echo(stage), '/', { perMessageDeflate: true })).close()
    }
  },
  {
    name: 'perMessageDeflate: the frames on the wire',
    async run (stage) {
      const app = await echo(stage, { options: { perMessageDeflate: { threshold: 5 } } })
      const { client, lane } = await stage.upgrade(app, '/', { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_no_context_takeover; server_no_context_takeover' })
      client.write(frame('text', 'tiny')).write(frame('text', 'long enough')).write(frame('close'))
      await stage.frames(lane, client)
    }
  },
  {
    name: 'clientTracking: false',
    async run (stage) {
      const app = await echo(stage, { options: { clientTracking: false } })
      stage.record('clients', app.websocketServer.clients)
      const client = await stage.connect(app)
      stage.record('clients', app.websocketServer.clients)
      await client.close()
      await app.close()
    }
  },
  {
    name: 'a class of the application for the sockets',
    async run (stage) {
      class Named extends WebSocket { label = 'mine' }
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, socket => {
          stage.record('handler', socket instanceof Named, (socket as object as Named).label)
          socket.close()
        })
      }, { plugin: { options: { WebSocket: Named } } })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'a websocket over HTTP/2',
    oursOnly: true,
    differs: ['over-http2'],
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, (socket, request) => {
          stage.record('handler', request.ws, request.raw.httpVersion)
          socket.close()
        })
      }, { fastify: { http2: true } as object })
      const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
      await once(session, 'remoteSettings')
      const stream = connectStream(session)
      stage.record('answer', (await answerTo(stream))[':status'])
      stream.resume().end(closeFrame(1000))
      await once(stream, 'close')
      session.close()
    },
    expect: {
      app: ['handler true "2.0"', 'answer 200']
    }
  },
  {
    name: 'a socket that expires',
    oursOnly: true,
    differs: ['sockets-expire'],
    async run (stage) {
      class Named extends WebSocket {}
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, socket => {
          stage.record('handler', socket instanceof Named, socket.constructor === app.websocketServer.options.WebSocket)
          socket.expiresAt?.(0)
        })
      }, { plugin: { options: { WebSocket: Named } } })
      await (await stage.connect(app)).closed()
    },
    expect: {
      app: ['handler true true'],
      'client 1': ['open protocol "" extensions ""', 'close 1008 "expired"']
    }
  },
  {
    name: 'autoPong, and pings both ways',
    async run (stage) {
      for (const autoPong of [true, false]) {
        const app = await stage.start(app => {
          app.get('/', { websocket: true }, socket => {
            stage.watch(socket, `autoPong ${autoPong}:`)
            socket.ping('from the server')
          })
        }, { plugin: { options: { autoPong } } })
        const client = await stage.connect(app)
        await stage.saw('app', `autoPong ${autoPong}: pong`)
        client.socket.ping('from the client')
        client.send('after the ping')
        await stage.saw('app', `autoPong ${autoPong}: message`)
        await client.close()
        await stage.saw('app', `autoPong ${autoPong}: close`)
      }
    }
  },
  {
    name: 'fragments, empty messages and a long one',
    async run (stage) {
      const app = await echo(stage)
      const client = await stage.connect(app)
      client.socket.send('one ', { fin: false })
      client.socket.send('two', { fin: true })
      await client.next()
      client.send('')
      await client.next()
      client.send(Buffer.alloc(200_000))
      await client.next()
      await client.close()
    }
  },
  {
    name: 'the events of the websocketServer and their arguments',
    differs: ['connection-event-request'],
    diff: [
      'app - connection true 2 <socket> <rawRequest>',
      'app + connection true 3 <socket> <rawRequest> <request>'
    ],
    async run (stage) {
      const app = await stage.start(app => {
        const server = app.websocketServer
        server.on('headers', function onHeaders (...args) {
          const [headers, request] = args
          stage.record('headers', this === server, args.length, headers.length, request)
          headers.push('X-Own: yes')
        })
        server.on('connection', function onConnection (...args) {
          const [socket, request] = args
          stage.record('connection', this === server, args.length, ...args)
          stage.record('state', socket.readyState, request.url, server.clients.size, server.clients.has(socket))
        })
        server.on('close', () => { stage.record('close') })
        server.on('listening', () => { stage.record('listening') })
        server.on('error', error => { stage.record('error', error) })
        app.get('/', { websocket: true }, function handle (socket) {
          stage.record('handler', server.clients.size)
          socket.close()
        })
      })
      const { client, lane } = await stage.upgrade(app)
      client.write(frame('close'))
      await stage.frames(lane, client)
      await until(() => app.websocketServer.clients.size === 0, 'no client')
      await app.close()
      await stage.saw('app', 'close')
    }
  },
  {
    name: 'version 8 of the protocol',
    async run (stage) {
      const app = await echo(stage)
      const { client, lane } = await stage.upgrade(app, '/', { 'Sec-WebSocket-Version': '8' })
      client.write(frame('close'))
      await stage.frames(lane, client)
    }
  },
  {
    name: 'shouldHandle of the running server says no',
    async run (stage) {
      const app = await echo(stage, {}, server => { server.shouldHandle = () => false })
      await stage.refused(app)
    }
  },
  {
    name: 'the application closes the websocketServer and goes on',
    async run (stage) {
      const app = await echo(stage)
      await new Promise(resolve => { app.websocketServer.close(resolve) })
      await stage.refused(app)
      await stage.attempt('close', async () => { await app.close() })
    }
  },
  {
    name: 'what is sent in a connection listener comes first',
    async run (stage) {
      const app = await stage.start(app => {
        app.websocketServer.on('connection', socket => { socket.send('of the listener') })
        app.get('/', { websocket: true }, socket => {
          socket.send('of the handler')
          socket.close()
        })
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'the 101 as it is on the wire',
    async run (stage) {
      const app = await echo(stage)
      const { client, lane } = await stage.upgrade(app, '/', { 'Sec-WebSocket-Protocol': 'a, b' })
      client.write(frame('text', 'hi')).write(frame('close', Buffer.from([0x03, 0xe8])))
      await stage.frames(lane, client)
    }
  },
  {
    name: 'frames in the same packet as the upgrade',
    async run (stage) {
      const app = await echo(stage)
      const client = await stage.running(app).raw()
      client.write(Buffer.concat([
        Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'),
        frame('text', 'early'), frame('close')
      ]))
      await stage.response('http 1', client)
      await stage.frames('http 1', client)
    }
  },
  {
    name: 'an upgrade in any case, among other tokens of Connection',
    async run (stage) {
      const app = await echo(stage)
      const { client, lane } = await stage.upgrade(app, '/', { Connection: 'keep-alive, Upgrade', Upgrade: 'WebSocket' })
      client.write(frame('close'))
      await stage.frames(lane, client)
    }
  }
]
