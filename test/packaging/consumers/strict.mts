// Compiled as an ES module, whatever the package's own type is.

import fastify from 'fastify'
import websocket, { fastifyWebsocket, type WebSocket, type WebsocketHandler } from 'fastify-wss'
import type {} from 'fastify-wss/types'
import type { WebsocketPluginOptions } from 'fastify-wss/types/index.js'
import { readMessages, type MessageInbox } from 'fastify-wss/testing'

const app = fastify()
const options: WebsocketPluginOptions = { options: { clientTracking: false } }
await app.register(websocket, options)
await app.register(fastifyWebsocket)

const handler: WebsocketHandler = (socket: WebSocket, request) => { socket.send(String(request.ws)) }
app.get('/', { websocket: true }, handler)

const inboxes: MessageInbox[] = []
await app.injectWS('/', {}, { protocols: ['a'], onInit (socket) { inboxes.push(readMessages(socket)) } })
