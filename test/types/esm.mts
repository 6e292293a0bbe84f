// An ES module of a user: the default export, the named one and the types.

import fastify from 'fastify'
import websocket, { fastifyWebsocket, type WebsocketHandler, type WebSocket } from 'fastify-wss'
import type { RouteOptions, WebsocketPluginOptions } from 'fastify-wss'
import { expectType } from './expect-type.js'

const app = fastify()
const options: WebsocketPluginOptions = { options: { maxPayload: 1 } }
await app.register(websocket, options)
await app.register(fastifyWebsocket)
expectType<typeof fastifyWebsocket>().from(websocket.default)

const handler: WebsocketHandler = function (socket, request) {
  expectType<WebSocket>().from(socket)
  socket.send(`${request.id} ${this.prefix}`)
}
const route: RouteOptions = { method: 'GET', url: '/', handler: () => {}, wsHandler: handler }
app.route(route)
app.get('/only', { websocket: true }, handler)
