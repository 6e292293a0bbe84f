import { fastify } from 'fastify'
import websocket from 'fastify-wss'
import plugin, { memory, type Engine } from 'fastify-wss/pubsub'

const engine: Engine = memory()

const app = fastify()
await app.register(websocket)
await app.register(plugin, { engine })
app.get('/', { websocket: true }, async socket => { await socket.subscribe('a') })
