// CommonJS to the letter: what require() gives is the plugin, and a namespace of its types.

import fastify = require('fastify')
import websocket = require('fastify-wss')
import { expectType } from './expect-type'

const app = fastify.fastify()
app.register(websocket)
app.register(websocket.default)
app.register(websocket.fastifyWebsocket, { options: { maxPayload: 1 } })
expectType<typeof websocket.default>().from(websocket.fastifyWebsocket)

const handler: websocket.WebsocketHandler = (socket, request) => {
  expectType<websocket.WebSocket>().from(socket)
  expectType<fastify.FastifyRequest>().from(request)
}
const options: websocket.WebsocketPluginOptions = { errorHandler: (error, socket) => { socket.close(1011, error.name) } }
const route: websocket.RouteOptions = { method: 'GET', url: '/', handler: () => {}, wsHandler: handler }
app.register(websocket, options)
app.route(route)
