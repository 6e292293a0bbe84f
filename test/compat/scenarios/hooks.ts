import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { frame, upgradeHead } from '../../helpers/raw-client'
import { label } from '../describe'
import type { Stage } from '../recorder'
import { saysClose, type Scenario } from '../scenario'

const EARLY = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

function open (app: FastifyInstance, stage: Stage, path = '/'): void {
  app.get(path, { websocket: true }, function handle (socket, request) {
    stage.record('handler', this, request.ws)
    socket.send('open')
    socket.close()
  })
}

/** Declares a hook that ends the request, for each kind of hook that runs before the handler. */
function ending (name: string, end: (request: FastifyRequest, reply: FastifyReply) => unknown): Scenario[] {
  return EARLY.map(kind => ({
    name: `${kind}: ${name}`,
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook(kind as 'onRequest', async (request, reply) => await end(request, reply) as never)
        stage.hooks(app, 'after', ['preHandler', 'onSend', 'onError', 'onResponse'])
        open(app, stage)
      })
      await stage.refused(app)
    }
  }))
}

export const hooks: Scenario[] = [
  {
    name: 'all hooks of an accepted upgrade, in order',
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app')
        open(app, stage)
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'all hooks of a plain request to a websocket route, in order',
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app')
        open(app, stage)
      })
      await stage.request(app, 'GET', '/')
    }
  },
  {
    name: 'all hooks of a plain request to a plain route, in order',
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app')
        app.get('/', async () => ({ plain: true }))
      })
      await stage.request(app, 'GET', '/')
    }
  },
  {
    name: 'all hooks of an upgrade to no route, in order',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => { stage.hooks(app, 'app') })
      await stage.refused(app, '/nowhere')
    }
  },
  {
    name: 'all hooks of an upgrade that a hook refuses with an error, in order',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app')
        app.addHook('preValidation', async () => { throw new Error('no') })
        open(app, stage)
      })
      await stage.refused(app)
    }
  },
  {
    name: 'all hooks of an upgrade to a plain route, in order',
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app')
        app.get('/', async () => 'plain')
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'hooks before the plugin know whether it is an upgrade',
    differs: ['ws-known-from-the-start'],
    diff: [
      'app - early onRequest null',
      'app + early onRequest true',
      'app - early onRequest null',
      'app + early onRequest false'
    ],
    async run (stage) {
      const app = await stage.start(async app => {
        for (const kind of EARLY) app.addHook(kind as 'onRequest', async request => { stage.record(`early ${kind}`, request.ws) })
        await app.register(stage.plugin)
        open(app, stage)
      }, { plugin: false })
      await (await stage.connect(app)).closed()
      await stage.request(app, 'GET', '/')
    }
  },
  {
    name: 'hooks of a scope run for its routes only',
    async run (stage) {
      const app = await stage.start(async app => {
        stage.hooks(app, 'root', EARLY)
        open(app, stage, '/root')
        await app.register(async child => {
          label(child, 'child')
          stage.hooks(child, 'child', EARLY)
          open(child, stage, '/child')
        })
        await app.register(async sibling => {
          label(sibling, 'sibling')
          open(sibling, stage, '/sibling')
        })
      })
      for (const path of ['/root', '/child', '/sibling']) await (await stage.connect(app, path)).closed()
    }
  },
  {
    name: 'hooks of the route itself, alone and in arrays',
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app', EARLY)
        app.route({
          method: 'GET',
          url: '/',
          websocket: true,
          onRequest: stage.hook('onRequest', 'route'),
          preParsing: [stage.hook('preParsing', 'route one'), stage.hook('preParsing', 'route two')] as never,
          preValidation: [stage.hook('preValidation', 'route')],
          preHandler: async (request, reply) => { stage.record('async preHandler', request, reply) },
          onResponse: stage.hook('onResponse', 'route'),
          handler (socket) {
            stage.record('handler', this)
            socket.close()
          }
        })
      })
      await (await stage.connect(app)).closed()
      await stage.request(app, 'GET', '/')
    }
  },
  {
    name: 'a hook that is added after the route does not see it',
    async run (stage) {
      const app = await stage.start(async app => {
        await app.register(async child => {
          label(child, 'child')
          open(child, stage)
        })
        stage.hooks(app, 'late', EARLY)
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'slow hooks: what the client sends meanwhile is delivered in order',
    async run (stage) {
      let proceed = () => {}
      const app = await stage.start(app => {
        app.addHook('preHandler', async () => {
          stage.record('preHandler')
          await new Promise<void>(resolve => { proceed = resolve })
        })
        app.get('/', { websocket: true }, socket => { stage.watch(socket) })
      })
      const client = await stage.running(app).raw()
      client.write(Buffer.concat([Buffer.from(upgradeHead('/')), frame('text', 'in the packet of the upgrade')]))
      await stage.saw('app', 'preHandler')
      client.write(frame('text', 'while the hook runs')).write(frame('binary', 'bytes')).write(frame('close'))
      proceed()
      await stage.response('http 1', client)
      await stage.frames('http 1', client)
      await stage.saw('app', 'close')
    }
  },
  ...ending('a hook that replies refuses with its status, headers and body', (request, reply) => reply.code(401).header('x-why', 'token').send({ why: request.ws })),
  ...ending('a hook that throws refuses with the error', () => { throw Object.assign(new Error('not you'), { statusCode: 403 }) }),
  {
    name: 'a hook that calls done with an error',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('onRequest', (request, reply, done) => { done(new Error('called done')) })
        open(app, stage)
      })
      await stage.refused(app)
    }
  },
  {
    name: 'a hook that redirects',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('preHandler', async (request, reply) => { await reply.redirect('/login', 302) })
        open(app, stage)
      })
      await stage.refused(app)
    }
  },
  {
    name: 'a hook that replies with a stream: all of it arrives',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('preHandler', async (request, reply) => await reply.code(402).send(Readable.from(['one ', 'two ', 'three'])))
        open(app, stage)
      })
      await stage.refused(app)
    }
  },
  {
    name: 'a hook that replies with nothing, with a buffer, and with a long body',
    ...saysClose('http 1', 'http 2', 'http 3'),
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('preHandler', async (request, reply) => {
          reply.code(400)
          if (request.url === '/nothing') return await reply.send()
          if (request.url === '/buffer') return await reply.type('application/octet-stream').send(Buffer.from('bytes'))
          return await reply.send('x'.repeat(2000))
        })
        for (const path of ['/nothing', '/buffer', '/long']) open(app, stage, path)
      })
      for (const path of ['/nothing', '/buffer', '/long']) await stage.refused(app, path)
    }
  },
  {
    name: 'cookies of a refusal come on lines of their own',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('preHandler', async (request, reply) => await reply.code(401).header('set-cookie', 'a=1').header('set-cookie', 'b=2').send('no'))
        open(app, stage)
      })
      await stage.refused(app)
    }
  },
  {
    name: 'onSend and preSerialization shape the answer of a refusal',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('preHandler', async (request, reply) => await reply.code(401).send({ a: 1 }))
        app.addHook('preSerialization', async (request, reply, payload) => ({ wrapped: payload }))
        app.addHook('onSend', async (request, reply, payload) => {
          reply.header('x-on-send', 'yes')
          return `${String(payload)} and more`
        })
        open(app, stage)
      })
      await stage.refused(app)
    }
  },
  {
    name: 'the hooks of a 404 handler',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        app.setNotFoundHandler({
          preValidation: stage.hook('preValidation', '404') as never,
          preHandler: stage.hook('preHandler', '404') as never
        }, (request, reply) => {
          stage.record('404 handler', request.ws, request.is404)
          reply.code(404).send('not here')
        })
      })
      await stage.refused(app, '/nowhere')
    }
  },
  {
    name: 'onError and the error handler work before the 101',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app', ['onError', 'onSend', 'onResponse'])
        app.setErrorHandler(function handleError (error, request, reply) {
          stage.record('error handler', this, error, request, reply, request.ws)
          reply.code(418).send({ handled: (error as Error).message })
        })
        app.addHook('preHandler', async () => { throw new Error('in a hook') })
        open(app, stage)
      })
      await stage.refused(app)
    }
  },
  {
    name: 'error handlers of scopes and of routes, before the 101',
    ...saysClose('http 1', 'http 2'),
    async run (stage) {
      const app = await stage.start(async app => {
        app.setErrorHandler((error, request, reply) => { reply.code(500).send(`root ${(error as Error).message}`) })
        await app.register(async child => {
          child.setErrorHandler((error, request, reply) => { reply.code(501).send(`child ${(error as Error).message}`) })
          child.get('/child', { websocket: true, preHandler: async () => { throw new Error('a') } }, () => {})
          child.get('/route', {
            websocket: true,
            preHandler: async () => { throw new Error('b') },
            errorHandler: (error, request, reply) => { reply.code(502).send(`route ${error.message}`) }
          }, () => {})
        })
      })
      await stage.refused(app, '/child')
      await stage.refused(app, '/route')
    }
  },
  {
    name: 'an error handler that throws again',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        app.setErrorHandler(async error => { throw Object.assign(new Error(`again: ${(error as Error).message}`), { statusCode: 503 }) })
        app.addHook('preHandler', async () => { throw new Error('first') })
        open(app, stage)
      })
      await stage.refused(app)
    }
  },
  {
    name: 'the error handler and onError are silent after the 101',
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app', ['onError', 'onSend', 'onResponse'])
        app.setErrorHandler((error, request, reply) => {
          stage.record('never', error)
          reply.send('never')
        })
        app.get('/', { websocket: true }, () => { throw new Error('after the 101') })
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'a hook that takes the reply over answers by itself',
    ...saysClose('http 1'),
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app', ['onSend', 'onResponse'])
        app.addHook('preHandler', async (request, reply) => {
          reply.hijack()
          reply.raw.writeHead(409, { 'content-length': 5 })
          reply.raw.end('taken')
        })
        open(app, stage)
      })
      await stage.refused(app)
    }
  },
  {
    name: 'headers that hooks set on the reply reach the 101',
    differs: ['reply-headers'],
    diff: [
      'http 1 + x-request-id: req-1',
      'http 1 + set-cookie: a=1',
      'http 1 + set-cookie: b=2'
    ],
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('onRequest', async (request, reply) => {
          reply.header('x-request-id', request.id).header('set-cookie', ['a=1', 'b=2'])
          reply.header('content-type', 'text/plain').header('transfer-encoding', 'chunked').header('sec-websocket-protocol', 'none')
        })
        app.get('/', { websocket: true }, socket => { socket.close() })
      })
      const { client, lane } = await stage.upgrade(app)
      client.fin()
      await stage.frames(lane, client)
    }
  },
  {
    name: 'request.ws cannot be assigned to',
    differs: ['ws-is-a-getter'],
    diff: [
      'http 1 - content-length: 11',
      'http 1 + content-length: 12',
      'http 1 - body {"ws":true}',
      'http 1 + body {"ws":false}',
      'log - error: request errored | res 200 | err TypeError: Cannot read properties of undefined (reading \'destroy\') | { reqId: "req-1" }',
      'log + info: request completed | res 200 | { reqId: "req-1" }',
      'test - assign: undefined',
      'test + assign threw TypeError: Cannot set property ws of #<_Request> which has only a getter'
    ],
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', async request => {
          await stage.attempt('assign', () => { request.ws = true })
          return { ws: request.ws }
        })
      })
      await stage.request(app, 'GET', '/')
    }
  },
  {
    name: 'hooks that change the request before the handler',
    async run (stage) {
      const app = await stage.start(app => {
        app.decorateRequest('user', null)
        app.addHook('onRequest', async request => { request.headers['x-added'] = 'by a hook' })
        app.addHook('preValidation', async request => { (request.query as Record<string, unknown>).added = 1 })
        app.addHook('preHandler', async request => { Object.assign(request, { user: { name: 'ann' } }) })
        app.get('/', { websocket: true }, (socket, request) => {
          stage.record('handler', request.headers['x-added'], request.query, request.getDecorator('user'))
          socket.close()
        })
      })
      await (await stage.connect(app, '/?a=1')).closed()
    }
  },
  {
    name: 'handlerTimeout does not touch an open connection',
    logLevel: 'silent',
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app', ['onTimeout', 'onError', 'onSend', 'onResponse'])
        app.get('/', { websocket: true, handlerTimeout: 30 } as never, socket => { stage.watch(socket) })
        app.get('/silent', { handlerTimeout: 60 } as never, () => {})
      })
      const client = await stage.connect(app)
      // Its answer comes when a longer timer has run that began later.
      await stage.request(app, 'GET', '/silent')
      client.send('still here')
      await stage.saw('app', 'still here')
      await client.close(1000)
    }
  },
  {
    name: 'an AsyncLocalStorage that a hook has filled, in the handler and in a listener',
    differs: ['async-context'],
    diff: ['app - message undefined', 'app + message "store"'],
    async run (stage) {
      const storage = new AsyncLocalStorage()
      const app = await stage.start(app => {
        app.addHook('onRequest', (_request, _reply, done) => { storage.run('store', done) })
        app.get('/', { websocket: true }, socket => {
          stage.record('handler', storage.getStore())
          socket.on('message', () => { stage.record('message', storage.getStore()) })
        })
      })
      const client = await stage.connect(app)
      client.send('hello')
      await stage.saw('app', 'message')
      await client.close(1000)
    }
  },
  {
    name: 'onRequestAbort: the client leaves while a hook runs',
    oursOnly: true,
    differs: ['client-left'],
    async run (stage) {
      const app = await stage.start(app => {
        stage.hooks(app, 'app', ['onRequestAbort', 'onSend', 'onResponse', 'onError'])
        app.addHook('preHandler', async request => {
          stage.record('preHandler')
          await once(request.signal, 'abort')
          stage.record('aborted')
        })
        open(app, stage)
      })
      const client = await stage.running(app).raw()
      client.upgrade('/')
      await stage.saw('app', 'preHandler')
      client.reset()
      await stage.saw('app', 'onRequestAbort')
      await stage.saw('app', 'aborted')
      await app.close()
    },
    expect: {
      app: ['preHandler', 'app onRequestAbort <root> <request> "upgrade"', 'aborted']
    }
  },
  {
    name: 'hooks of the application around its life',
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('onReady', function onReady (done) { stage.record('onReady', this); done() })
        app.addHook('onListen', function onListen (done) { stage.record('onListen', this); done() })
        app.addHook('preClose', function preClose (done) { stage.record('preClose', this, this.websocketServer.clients.size); done() })
        app.addHook('onClose', function onClose (instance, done) { stage.record('onClose', this, instance, instance.server.listening); done() })
        app.addHook('onRegister', instance => { stage.record('onRegister', instance) })
        app.register(async () => {})
      })
      await app.close()
    }
  }
]
