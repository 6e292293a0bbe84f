import * as http from 'node:http'
import { once } from 'node:events'
import fastifyPlugin from 'fastify-plugin'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { readMessages } from '../../../src/extras/testing'
import { LIMIT } from '../../helpers/limit'
import type { Scenario } from '../scenario'
import type { PluginOptions, Stage } from '../recorder'

// What a user of JavaScript may pass, types or not.
function wrong (options: unknown): PluginOptions {
  return options as PluginOptions
}

function rejects (name: string, options: unknown, rest: object = {}): Scenario {
  return {
    name: `registration: ${name}`,
    async run (stage) {
      const app = stage.create()
      await stage.attempt('register', async () => { await app.register(stage.plugin, wrong(options)) })
    },
    ...rest
  } as Scenario
}

function checked (rule: string): object {
  return {
    differs: ['options-checked'],
    diff: ['test - register: undefined', `test + register threw FastifyError (TypeError) [FST_WS_INVALID_OPTION]: the option ${rule} { statusCode: 500 }`]
  }
}

async function declareAnd (stage: Stage, options: PluginOptions): Promise<void> {
  await stage.start(app => {
    const { options } = app.websocketServer
    stage.record('maxPayload', options.maxPayload)
    stage.record('clientTracking', options.clientTracking, app.websocketServer.clients)
    stage.record('noServer', options.noServer, 'server', options.server, 'port', options.port)
    stage.record('perMessageDeflate', options.perMessageDeflate)
    stage.record('autoPong', options.autoPong, 'skipUTF8Validation', options.skipUTF8Validation)
  }, { plugin: options, listen: false })
}

export const registration: Scenario[] = [
  {
    name: 'what require gives has three names and the metadata of a plugin',
    async run (stage) {
      const exported = stage.plugin as unknown as Record<string | symbol, unknown>
      stage.record('type', typeof exported)
      stage.record('default', exported.default === exported)
      stage.record('fastifyWebsocket', exported.fastifyWebsocket === exported)
      stage.record('meta', exported[Symbol.for('plugin-meta')])
      stage.record('skip-override', exported[Symbol.for('skip-override')])
      stage.record('display name', exported[Symbol.for('fastify.display-name')])
      stage.record('names', Object.keys(exported).sort())
    }
  },
  {
    name: 'the plugin is known by its name and satisfies a dependency on it',
    async run (stage) {
      const app = stage.create()
      await app.register(stage.plugin)
      stage.record('hasPlugin', app.hasPlugin('@fastify/websocket'))
      const dependent = fastifyPlugin(async instance => { stage.record('dependent', instance) }, { name: 'dependent', dependencies: ['@fastify/websocket'] })
      await stage.attempt('register a dependent', async () => { await app.register(dependent) })
    }
  },
  {
    name: 'a dependent that comes first is refused',
    async run (stage) {
      const app = stage.create()
      const dependent = fastifyPlugin(async () => {}, { name: 'dependent', dependencies: ['@fastify/websocket'] })
      await stage.attempt('register a dependent', async () => { await app.register(dependent) })
    }
  },
  {
    name: 'decorations reach the instance that registers',
    async run (stage) {
      const app = stage.create()
      await app.register(stage.plugin)
      stage.record('instance', app.hasDecorator('websocketServer'), app.hasDecorator('injectWS'), app.hasDecorator('ws'))
      stage.record('request', app.hasRequestDecorator('ws'), 'reply', app.hasReplyDecorator('ws'))
      stage.record('injectWS', typeof app.injectWS, app.injectWS.length)
      stage.record('websocketServer', app.websocketServer instanceof WebSocketServer, app.websocketServer.clients)
    }
  },
  {
    name: 'decorations stay in the scope that registers',
    async run (stage) {
      const app = stage.create()
      await app.register(async scope => {
        await scope.register(stage.plugin)
        stage.record('scope', scope.hasDecorator('websocketServer'), scope.hasRequestDecorator('ws'))
      })
      stage.record('root', app.hasDecorator('websocketServer'), app.hasDecorator('injectWS'), app.hasRequestDecorator('ws'))
    }
  },
  {
    name: 'registered in a scope, the plugin serves that scope',
    async run (stage) {
      const app = await stage.start(async app => {
        await app.register(async scope => {
          await scope.register(stage.plugin)
          scope.get('/inner', { websocket: true }, socket => { socket.send('inner'); socket.close() })
        }, { prefix: '/scope' })
        app.get('/outer', (request, reply) => { reply.send('outer') })
      }, { plugin: false })
      await (await stage.connect(app, '/scope/inner')).closed()
      await stage.request(app, 'GET', '/outer')
      await stage.request(app, 'GET', '/scope/inner')
    }
  },
  rejects('an errorHandler that is no function', { errorHandler: {} }),
  rejects('a preClose that is no function', { preClose: 'close' }),
  rejects('the option noServer', { options: { noServer: true } }),
  rejects('the errorHandler is checked before the preClose', { errorHandler: 1, preClose: 1, options: { noServer: true } }),
  rejects('falsy handlers count as left out', { errorHandler: null, preClose: 0 }),
  rejects('no options at all', undefined),
  {
    name: 'registration: the code of an error',
    differs: ['error-details'],
    diff: [
      'app - code "errorHandler" undefined',
      'app - code "preClose" undefined',
      'app - code "options" undefined',
      'app + code "errorHandler" "FST_WS_INVALID_ERROR_HANDLER"',
      'app + code "preClose" "FST_WS_INVALID_PRE_CLOSE"',
      'app + code "options" "FST_WS_NO_SERVER"'
    ],
    async run (stage) {
      for (const [name, value] of Object.entries({ errorHandler: 1, preClose: 1, options: { noServer: true } })) {
        const app = stage.create()
        const error = await app.register(stage.plugin, wrong({ [name]: value })).then(() => undefined, error => error)
        stage.record('code', name, error?.code)
      }
    }
  },
  {
    name: 'registration: the option path is warned about, and obeyed by ws',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/*', { websocket: true }, socket => { socket.close(4001) })
      }, { plugin: wrong({ options: { path: '/here' } }) })
      await (await stage.connect(app, '/here')).closed()
      await (await stage.connect(app, '/elsewhere')).closed()
    }
  },
  rejects('the option port', { options: { port: 3000 } }, {
    oursOnly: true,
    differs: ['options-checked'],
    expect: { test: ['register threw FastifyError (TypeError) [FST_WS_INVALID_OPTION]: the option options.port cannot be used: the application listens, with fastify.listen(); it is 3000 { statusCode: 500 }'] }
  }),
  rejects('options that are no object', { options: 'none' }, checked("options must be an object; it is 'none'")),
  rejects('a maxPayload that is no number', { options: { maxPayload: 'big' } }, checked("options.maxPayload must be a number of bytes; it is 'big'")),
  rejects('a verifyClient that is no function', { options: { verifyClient: 'nobody' } }, checked("options.verifyClient must be a function; it is 'nobody'")),
  {
    name: 'a second registration on the same instance',
    oursOnly: true,
    differs: ['registered-twice'],
    async run (stage) {
      const app = stage.create()
      await app.register(stage.plugin)
      await stage.attempt('register again', async () => { await app.register(stage.plugin) })
    },
    expect: {
      test: [
        'register again threw FastifyError [FST_WS_ALREADY_REGISTERED]: the websocket plugin is already registered on this instance or on a parent of it { statusCode: 500 }'
      ]
    }
  },
  {
    name: 'a second registration in a scope below',
    oursOnly: true,
    differs: ['registered-twice'],
    async run (stage) {
      const app = stage.create()
      await app.register(stage.plugin)
      await stage.attempt('register again', async () => {
        await app.register(async scope => { await scope.register(stage.plugin) })
      })
    },
    expect: {
      test: [
        'register again threw FastifyError [FST_WS_ALREADY_REGISTERED]: the websocket plugin is already registered on this instance or on a parent of it { statusCode: 500 }'
      ]
    }
  },
  {
    name: 'registrations in two scopes beside each other',
    differs: ['other-listeners'],
    diff: [
      'log - warn: websocket upgrade failed | err Error [ERR_HTTP_SOCKET_ASSIGNED]: ServerResponse has an already assigned socket',
      'log - warn: websocket upgrade failed | err Error [ERR_HTTP_SOCKET_ASSIGNED]: ServerResponse has an already assigned socket'
    ],
    async run (stage) {
      const app = await stage.start(async app => {
        for (const name of ['one', 'two']) {
          await app.register(async scope => {
            await scope.register(stage.plugin)
            scope.get(`/${name}`, { websocket: true }, socket => {
              stage.record('handler', name, scope.websocketServer.clients.size)
              socket.close()
            })
          })
        }
      }, { plugin: false })
      await (await stage.connect(app, '/one')).closed()
      await (await stage.connect(app, '/two')).closed()
    }
  },
  {
    name: 'registration after the application is ready',
    async run (stage) {
      const app = stage.create()
      await app.ready()
      await stage.attempt('register', async () => { await app.register(stage.plugin) })
    }
  },
  {
    name: 'options given by a function of the instance',
    async run (stage) {
      const app = stage.create()
      await app.register(stage.plugin, (() => ({ options: { maxPayload: 5 } })) as PluginOptions)
      stage.record('maxPayload', app.websocketServer.options.maxPayload)
    }
  },
  {
    name: 'ws has its own defaults',
    run: stage => declareAnd(stage, {})
  },
  {
    name: 'every other option goes to ws',
    run: stage => declareAnd(stage, {
      options: { maxPayload: 1000, clientTracking: false, perMessageDeflate: { threshold: 10 }, autoPong: false, skipUTF8Validation: true, backlog: 5 }
    })
  },
  {
    name: 'the object of options is left as it was',
    async run (stage) {
      const server = http.createServer()
      const options = Object.freeze({ server, maxPayload: 10, path: '/x' })
      const app = stage.create()
      await app.register(stage.plugin, wrong(Object.freeze({ options })))
      stage.record('keys', Object.keys(options), options.server === server)
      stage.record('listeners', server.listenerCount('upgrade'), app.server.listenerCount('upgrade'))
    }
  },
  {
    name: 'the option server: upgrades are taken from there, until the application closes',
    async run (stage) {
      const server = http.createServer()
      stage.keep(server)
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, (socket, request) => {
          stage.record('handler', request.url, request.ws)
          socket.send('from the other server')
          socket.close(4000, 'done')
        })
      }, { plugin: { options: { server } } })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      try {
        const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
        const client = stage.client(socket, readMessages(socket, { timeout: LIMIT }))
        await client.closed()
        stage.record('before the close', server.listenerCount('upgrade'), app.server.listenerCount('upgrade'))
        await app.close()
        stage.record('after the close', server.listenerCount('upgrade'), server.listening)
      } finally {
        server.closeAllConnections()
        server.close()
      }
    }
  },
  {
    name: 'the option server: an upgrade on the own server of Fastify is a plain request',
    async run (stage) {
      const server = http.createServer()
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, socket => { socket.close() })
        app.get('/plain', (request, reply) => { reply.header('connection', 'close').send(`ws ${request.ws}`) })
      }, { plugin: { options: { server } } })
      await stage.refused(app, '/plain')
      await stage.refused(app, '/', { Connection: 'Upgrade, close' })
    }
  },
  {
    name: 'the hooks that the plugin adds to the application',
    differs: ['plain-requests-pay-nothing'],
    diff: [
      'app - addHook "onRequest"',
      'app - addHook "onResponse"',
      'app + addHook "onReady"',
      'app + addHook "onClose"'
    ],
    async run (stage) {
      const app = stage.create()
      await app.register(fastifyPlugin(async instance => {
        const { addHook } = instance
        instance.addHook = function (this: unknown, ...args: unknown[]) {
          stage.record('addHook', args[0])
          return Reflect.apply(addHook, this, args)
        } as typeof addHook
        await instance.register(stage.plugin)
      }))
      await app.ready()
      stage.record('upgrade listeners', app.server.listenerCount('upgrade'))
    }
  }
]
