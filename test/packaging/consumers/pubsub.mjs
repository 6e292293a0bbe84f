import fastify from 'fastify'
import websocket from 'fastify-wss'
import plugin, { memory, pubsub } from 'fastify-wss/pubsub'

const app = fastify()
await app.register(websocket)
await app.register(pubsub, { engine: memory() })
app.pubsub.on('news', text => { console.log(text, plugin === pubsub) })
await app.pubsub.publish('news', 'first')
await app.close()
