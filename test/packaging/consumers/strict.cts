// Compiled as CommonJS, with the imports of CommonJS.

import fastify = require('fastify')
import websocket = require('fastify-wss')
import testing = require('fastify-wss/testing')
import type indexTypes = require('fastify-wss/types')

const app = fastify.fastify()
app.register(websocket, { options: { maxPayload: 1 } })
app.register(websocket.default)
app.register(websocket.fastifyWebsocket)

const handler: indexTypes.WebsocketHandler = socket => { testing.readMessages(socket).stop() }
app.get('/', { websocket: true }, handler)
const route: websocket.RouteOptions = { method: 'GET', url: '/', handler: () => {}, wsHandler: handler }
app.route(route)
