import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import { once } from 'node:events'
import * as http from 'node:http'
import { frame } from '../../helpers/frames'
import type { PluginOptions, Stage, StartOptions } from '../recorder'
import type { Scenario } from '../scenario'

function watched (stage: Stage, plugin: PluginOptions = {}, options: StartOptions = {}): Promise<FastifyInstance> {
  return stage.start(app => {
    app.websocketServer.on('close', () => { stage.record('websocketServer close') })
    app.get('/', { websocket: true }, socket => { stage.watch(socket) })
  }, { plugin, ...options })
}

/** Who closes, and with what. */
function parting (name: string, end: (socket: WebSocket) => void): Scenario {
  return {
    name: `the handler's side ends with ${name}`,
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, socket => {
          stage.watch(socket)
          end(socket)
        })
      })
      await (await stage.connect(app)).closed()
      await stage.saw('app', 'socket close')
    }
  }
}

function leaving (name: string, end: (socket: WebSocket) => void): Scenario {
  return {
    name: `the client ends with ${name}`,
    async run (stage) {
      const app = await watched(stage)
      const client = await stage.connect(app)
      end(client.socket)
      await client.closed()
      await stage.saw('app', 'socket close')
    }
  }
}

export const closing: Scenario[] = [
  parting('close()', socket => { socket.close() }),
  parting('close(1000)', socket => { socket.close(1000) }),
  parting('close(4321, reason)', socket => { socket.close(4321, 'a reason') }),
  parting('terminate()', socket => { socket.terminate() }),
  parting('a message and close()', socket => { socket.send('last words'); socket.close(1001) }),
  leaving('close()', socket => { socket.close() }),
  leaving('close(3000, reason)', socket => { socket.close(3000, 'mine') }),
  leaving('terminate()', socket => { socket.terminate() }),
  {
    name: 'fastify.close() closes every client without a code',
    async run (stage) {
      const app = await watched(stage)
      const clients = [await stage.connect(app), await stage.connect(app)]
      stage.record('clients', app.websocketServer.clients.size)
      await stage.attempt('close', async () => { await app.close() })
      await Promise.all(clients.map(client => client.closed()))
      await stage.saw('app', 'websocketServer close')
      stage.record('clients', app.websocketServer.clients.size, app.server.listenerCount('upgrade'), app.server.listening)
    }
  },
  {
    name: 'fastify.close() with a websocket that a hook opened itself',
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('onRequest', async (request, reply) => {
          reply.hijack()
          app.websocketServer.handleUpgrade(request.raw, request.raw.socket, Buffer.alloc(0), socket => {
            socket.on('message', data => { socket.send(String(data)) })
          })
        })
        app.get('/', { websocket: true }, () => { stage.record('never') })
      })
      const client = await stage.connect(app)
      await client.send('to the hook').next()
      await stage.attempt('close', async () => { await app.close() })
      await client.closed()
    }
  },
  {
    name: 'fastify.close() with a tunnel that a hook opened itself',
    oursOnly: true,
    differs: ['taken-upgrades-end'],
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('onRequest', async (request, reply) => {
          reply.hijack()
          request.raw.socket.on('data', bytes => { request.raw.socket.write(bytes) })
          request.raw.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
        })
        app.get('/', { websocket: true }, () => { stage.record('never') })
      }, { plugin: { shutdown: { timeout: 50 } } })
      const client = await stage.running(app).raw()
      await client.upgrade('/').readResponse()
      client.write('tunnelled')
      stage.record(String(await client.readBytes(9)))
      await stage.attempt('close', async () => { await app.close() })
      stage.record(String(await client.readUntilClose()))
    },
    expect: {
      app: ['tunnelled', ''],
      test: ['close: undefined']
    }
  },
  {
    name: 'fastify.close() settles when the last connection has closed',
    oursOnly: true,
    differs: ['shutdown-ends'],
    async run (stage) {
      const app = await watched(stage)
      const client = await stage.connect(app)
      await app.close()
      stage.record('closed', app.websocketServer.clients)
      await client.closed()
    },
    expect: {
      app: ['socket close 1005 ""', 'websocketServer close', 'closed {}'],
      'client 1': ['open protocol "" extensions ""', 'close 1005 ""']
    }
  },
  {
    name: 'fastify.close() without clients, and twice',
    async run (stage) {
      const app = await watched(stage)
      await stage.attempt('close', async () => { await app.close() })
      await stage.attempt('close again', async () => { await app.close() })
    }
  },
  {
    name: 'fastify.close() of an application that never listened',
    async run (stage) {
      const app = await watched(stage, {}, { listen: false })
      await app.ready()
      await stage.attempt('close', async () => { await app.close() })
    }
  },
  {
    name: 'fastify.close() while a client is closing already',
    async run (stage) {
      const app = await watched(stage)
      const client = await stage.connect(app)
      client.socket.close(4000, 'first')
      await stage.attempt('close', async () => { await app.close() })
      await client.closed()
    }
  },
  {
    name: 'the order of the hooks around the end, with a client',
    async run (stage) {
      const app = stage.create()
      app.addHook('preClose', async () => { stage.record('preClose before', app.websocketServer.clients.size) })
      await app.register(stage.plugin)
      app.addHook('preClose', async () => { stage.record('preClose after', [...app.websocketServer.clients].map(socket => socket.readyState)) })
      app.addHook('onClose', async () => { stage.record('onClose', app.server.listening) })
      await app.register(async child => {
        child.addHook('preClose', async () => { stage.record('preClose child') })
        child.addHook('onClose', async () => { stage.record('onClose child') })
      })
      app.get('/', { websocket: true }, () => {})
      await app.listen({ port: 0, host: '127.0.0.1' })
      const client = await stage.connect(app)
      await app.close()
      await client.closed()
    }
  },
  {
    name: 'a preClose of the application, with a callback',
    async run (stage) {
      const app = await watched(stage, {
        preClose: function preClose (this: FastifyInstance, done: () => void) {
          const server = this.websocketServer
          stage.record('preClose', this, server.clients, typeof done)
          server.close(() => {
            stage.record('closed')
            done()
          })
        }
      })
      await app.close()
    }
  },
  {
    name: 'a preClose of the application closes clients with its own code',
    async run (stage) {
      const app = await watched(stage, {
        preClose: function preClose (this: FastifyInstance, done: () => void) {
          stage.record('preClose', this)
          for (const socket of this.websocketServer.clients) socket.close(1001, 'going away')
          this.websocketServer.close(() => { stage.record('closed') })
          done()
        }
      })
      const client = await stage.connect(app)
      await app.close()
      await client.closed()
      await stage.saw('app', 'closed')
    }
  },
  {
    name: 'an async preClose of the application',
    async run (stage) {
      const app = await watched(stage, {
        preClose: async function preClose (this: FastifyInstance) {
          const sockets = [...this.websocketServer.clients]
          for (const socket of sockets) socket.close(4002, 'async')
          await Promise.all(sockets.map(socket => once(socket, 'close')))
          stage.record('preClose', this, this.websocketServer.clients.size)
          this.websocketServer.close()
        }
      })
      const client = await stage.connect(app)
      await app.close()
      await client.closed()
    }
  },
  {
    name: 'a preClose of the application that fails',
    async run (stage) {
      const app = await watched(stage, {
        preClose: async function preClose (this: FastifyInstance) {
          for (const socket of this.websocketServer.clients) socket.close(4003)
          this.websocketServer.close()
          throw new Error('in preClose')
        }
      })
      const client = await stage.connect(app)
      await stage.attempt('close', async () => { await app.close() })
      await client.closed()
      await stage.saw('app', 'websocketServer close')
      stage.record('listening', app.server.listening)
    }
  },
  {
    name: 'a preClose of the application that closes nothing',
    oursOnly: true,
    differs: ['shutdown-ends'],
    async run (stage) {
      const app = await watched(stage, { preClose: async () => { stage.record('preClose') } })
      const client = await stage.connect(app)
      await app.close()
      await client.closed()
    },
    expect: {
      app: ['preClose', 'socket close 1005 ""', 'websocketServer close'],
      'client 1': ['open protocol "" extensions ""', 'close 1005 ""']
    }
  },
  {
    name: 'a client that does not answer the close frame is cut, with clientTracking and without',
    oursOnly: true,
    differs: ['shutdown-ends'],
    async run (stage) {
      for (const clientTracking of [true, false]) {
        const app = await watched(stage, { options: { clientTracking }, shutdown: { timeout: 50 } })
        const { client, lane } = await stage.upgrade(app)
        await app.close()
        await stage.frames(lane, client)
      }
    },
    expect: {
      app: ['socket close 1006 ""', 'websocketServer close', 'websocketServer close', 'socket close 1006 ""'],
      'http 1': [
        '101 Switching Protocols',
        'upgrade: websocket',
        'connection: Upgrade',
        'sec-websocket-accept: <accept>',
        'frame 8 rsv 0 fin true ',
        'end'
      ],
      'http 2': [
        '101 Switching Protocols',
        'upgrade: websocket',
        'connection: Upgrade',
        'sec-websocket-accept: <accept>',
        'frame 8 rsv 0 fin true ',
        'end'
      ]
    }
  },
  {
    name: 'shutdown: a code and a reason for every client',
    oursOnly: true,
    differs: ['options-added'],
    async run (stage) {
      const app = await watched(stage, { shutdown: { code: 1001, reason: 'restart' } })
      const client = await stage.connect(app)
      await app.close()
      await client.closed()
    },
    expect: {
      app: ['socket close 1001 "restart"', 'websocketServer close'],
      'client 1': ['open protocol "" extensions ""', 'close 1001 "restart"']
    }
  },
  {
    name: 'an upgrade that waits for a hook when the application closes is refused',
    oursOnly: true,
    differs: ['refused-while-closing'],
    async run (stage) {
      let proceed = () => {}
      const app = await stage.start(app => {
        app.addHook('preHandler', async () => {
          stage.record('preHandler')
          await new Promise<void>(resolve => { proceed = resolve })
        })
        app.get('/', { websocket: true }, () => { stage.record('never') })
      })
      const refused = stage.refused(app)
      await stage.saw('app', 'preHandler')
      const closed = app.close()
      await refused
      proceed()
      await closed
    },
    expect: {
      app: ['preHandler'],
      'http 1': [
        '503 Service Unavailable',
        'connection: close',
        'content-type: application/json; charset=utf-8',
        'content-length: 104',
        'date: <date>',
        'body {"statusCode":503,"code":"FST_WS_CLOSING","error":"Service Unavailable","message":"Service Unavailable"}',
        'end'
      ]
    }
  },
  {
    name: 'an upgrade that comes while the application closes',
    differs: ['refused-while-closing'],
    diff: [
      'http 1 - content-type: application/json',
      'http 1 - content-length: 80',
      'http 1 + content-type: application/json; charset=utf-8',
      'http 1 + content-length: 104',
      'http 1 - body {"error":"Service Unavailable","message":"Service Unavailable","statusCode":503}',
      'http 1 + body {"statusCode":503,"code":"FST_WS_CLOSING","error":"Service Unavailable","message":"Service Unavailable"}'
    ],
    logLevel: 'silent',
    async run (stage) {
      let proceed = () => {}
      const waiting = new Promise<void>(resolve => { proceed = resolve })
      const app = await stage.start(app => {
        app.addHook('preClose', async () => {
          stage.record('preClose')
          await waiting
        })
        app.get('/', { websocket: true }, () => { stage.record('never') })
      })
      // Fastify stops listening once every preClose is done, so a connection that is there already has to ask.
      const client = await stage.running(app).raw()
      const closed = app.close()
      await stage.saw('app', 'preClose')
      client.upgrade('/')
      await stage.response('http 1', client)
      await stage.ending('http 1', client)
      proceed()
      await closed
    }
  },
  {
    name: 'forceCloseConnections',
    async run (stage) {
      for (const forceCloseConnections of [true, 'idle'] as const) {
        const app = await watched(stage, {}, { fastify: { forceCloseConnections } })
        const client = await stage.connect(app)
        const ended = once(app.websocketServer, 'close')
        await stage.attempt('close', async () => { await app.close() })
        await Promise.all([ended, client.closed()])
      }
    }
  },
  {
    name: 'a server that the application makes',
    async run (stage) {
      const app = await watched(stage, {}, { fastify: { serverFactory: handler => http.createServer({ keepAliveTimeout: 1000 }, handler) } })
      const client = await stage.connect(app)
      client.send('hello')
      await stage.saw('app', 'hello')
      await stage.attempt('close', async () => { await app.close() })
      await client.closed()
      await stage.saw('app', 'websocketServer close')
    }
  },
  {
    name: 'the half of the connection that a client closes without a close frame',
    async run (stage) {
      const app = await watched(stage)
      const { client, lane } = await stage.upgrade(app)
      client.write(frame('text', 'last'))
      client.fin()
      await stage.frames(lane, client)
      await stage.saw('app', 'socket close')
    }
  },
  {
    name: 'a client that resets the connection',
    logLevel: 'silent',
    async run (stage) {
      const app = await watched(stage, { errorHandler: (error, socket) => { stage.record('errorHandler', error); socket.terminate() } })
      const { client } = await stage.upgrade(app)
      client.reset()
      await stage.saw('app', 'socket close')
    }
  }
]
