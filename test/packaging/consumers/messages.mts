import { fastify } from 'fastify'
import websocket from 'fastify-wss'
import plugin, { messages, type InvalidMessageError } from 'fastify-wss/messages'

const app = fastify()
await app.register(websocket)
await app.register(plugin, { invalid: (error: InvalidMessageError) => error.validation })
await app.register(messages)
app.get<{ Send: string }>('/', { websocket: true, schema: { messages: {} } }, async socket => { await socket.sendMessage('hello') })
