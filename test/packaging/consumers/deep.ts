import fastify from 'fastify'
import websocket from 'fastify-wss'
import indexPlugin from 'fastify-wss/index'
import scriptPlugin from 'fastify-wss/index.js'
import type { WebsocketHandler } from 'fastify-wss/types'
import type { WebsocketPluginOptions } from 'fastify-wss/types/index'
import type { WebSocket } from 'fastify-wss/types/index.d.ts'

const options: WebsocketPluginOptions = { preClose: async () => {} }
const handler: WebsocketHandler = (socket: WebSocket, request) => { socket.send(request.id) }
const app = fastify()
for (const plugin of [websocket, indexPlugin, scriptPlugin]) app.register(plugin, options)
app.get('/', { websocket: true }, handler)
