import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws'
import { until } from '../../helpers/limit'
import type { Scenario } from '../scenario'

export const decorators: Scenario[] = [
  {
    name: 'websocketServer is the same in every scope, and holds the socket of the handler',
    async run (stage) {
      const app = await stage.start(async app => {
        await app.register(async child => {
          child.get('/', { websocket: true }, function handle (socket) {
            const { websocketServer } = this
            stage.record('handler', websocketServer instanceof WebSocketServer, websocketServer === app.websocketServer)
            stage.record('clients', websocketServer.clients.size, websocketServer.clients.has(socket), socket instanceof WebSocket)
          })
        })
      })
      const client = await stage.connect(app)
      await client.close()
      await until(() => app.websocketServer.clients.size === 0, 'no client')
      stage.record('clients', app.websocketServer.clients.size)
    }
  },
  {
    name: 'a message to all clients',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, function handle (socket) {
          socket.on('message', data => {
            for (const client of app.websocketServer.clients) client.send(`all: ${String(data)}`)
          })
        })
      })
      const clients = [await stage.connect(app), await stage.connect(app)]
      clients[0]?.send('hello')
      for (const client of clients) {
        await client.next()
        await client.close()
      }
    }
  },
  {
    name: 'request.ws is a boolean in every hook and handler',
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('onRequest', async request => { stage.record('onRequest', request.ws) })
        app.route({
          method: 'GET',
          url: '/',
          handler: (request, reply) => { reply.send({ ws: request.ws }) },
          wsHandler (socket, request) {
            stage.record('wsHandler', request.ws)
            socket.close()
          }
        })
      })
      await (await stage.connect(app)).closed()
      await stage.request(app, 'GET', '/')
      const response = await app.inject('/')
      stage.record('inject', response.json())
    }
  },
  {
    name: 'the application upgrades requests of another server with handleUpgrade',
    async run (stage) {
      const app = await stage.start(app => { app.get('/', { websocket: true }, () => { stage.record('never') }) })
      const { websocketServer } = app
      const other = createServer()
      stage.keep(other)
      other.on('upgrade', (rawRequest, rawSocket, head) => {
        websocketServer.handleUpgrade(rawRequest, rawSocket, head, (socket, request) => {
          stage.record('upgraded', socket, request, websocketServer.clients.has(socket))
          socket.close(4000, 'by hand')
        })
      })
      other.listen(0, '127.0.0.1')
      await once(other, 'listening')
      const client = stage.client(new WebSocket(`ws://127.0.0.1:${(other.address() as AddressInfo).port}/any`))
      await client.closed()
      other.close()
    }
  },
  {
    name: 'a socket as a stream',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, socket => {
          const stream = createWebSocketStream(socket, { encoding: 'utf8' })
          stream.on('data', data => { stage.record('data', data) })
          stream.on('end', () => { stage.record('end') })
          stream.write('from the stream')
        })
      })
      const client = await stage.connect(app)
      await client.next()
      client.send('to the stream')
      await stage.saw('app', 'to the stream')
      await client.close()
      await stage.saw('app', 'end')
    }
  },
  {
    name: 'an event target: addEventListener and onmessage',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, socket => {
          socket.addEventListener('message', event => { stage.record('addEventListener', event.type, event.data) })
          socket.onmessage = event => {
            stage.record('onmessage', event.type, event.data)
            socket.close()
          }
        })
      })
      const client = await stage.connect(app)
      client.send('event')
      await client.closed()
    }
  },
  {
    name: 'the request can be used as long as the connection is open',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, (socket, request) => {
          socket.on('message', () => {
            stage.record('request', request.url, request.headers['x-own'], request.ws, request.id, request.ip)
            request.log.info('still logging')
            socket.close()
          })
        })
      })
      const client = await stage.connect(app, '/?a=1', { headers: { 'x-own': 'kept' } })
      client.send('later')
      await client.closed()
    }
  },
  {
    name: 'the listeners on the socket that a handler gets',
    async run (stage) {
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, socket => {
          for (const event of ['error', 'message', 'open', 'ping', 'pong']) stage.record(event, socket.listenerCount(event))
          socket.close()
        })
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'what an error handler of the plugin can ask the reply',
    async run (stage) {
      const app = await stage.start(app => {
        app.addHook('onRequest', async (request, reply) => { reply.code(201) })
        app.get('/', { websocket: true }, () => { throw new Error('thrown') })
      }, {
        plugin: {
          errorHandler (error, socket, request, reply) {
            stage.record('errorHandler', error, reply.request === request, reply.statusCode, reply.sent, reply.raw.headersSent, reply.server)
            socket.close()
          }
        }
      })
      await (await stage.connect(app)).closed()
    }
  },
  {
    name: 'an open connection does not keep its request',
    oursOnly: true,
    differs: ['idle-costs-what-ws-costs'],
    async run (stage) {
      setFlagsFromString('--expose-gc')
      const collect = runInNewContext('gc') as () => void
      let request: WeakRef<object> | undefined
      const app = await stage.start(app => {
        app.get('/', { websocket: true }, (socket, given) => {
          request = new WeakRef(given)
          socket.on('message', () => { socket.close() })
        })
      })
      const client = await stage.connect(app)
      await until(() => {
        collect()
        return request?.deref() === undefined
      }, 'the request is collected')
      client.send('still open')
      await client.closed()
    },
    expect: {
      'client 1': ['open protocol "" extensions ""', 'close 1005 ""']
    }
  }
]
