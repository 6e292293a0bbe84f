import { fastify } from 'fastify'
import websocket from 'fastify-wss'
import { memory, pubsub } from 'fastify-wss/pubsub'
import type { Engine, PubSubOptions } from 'fastify-wss/pubsub'

const engine: Engine = memory()
const options: PubSubOptions = { engine, onSubscribe: (socket, topic) => socket.topics.includes(topic) }

const app = fastify()
app.register(websocket)
app.register(pubsub, options)
app.get('/', { websocket: true }, async socket => {
  const { gap } = await socket.subscribe('a')
  if (!gap) await app.pubsub.publish('a', 'hello', { except: socket })
})
