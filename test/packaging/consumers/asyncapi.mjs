import fastify from 'fastify'
import websocket from 'fastify-wss'
import plugin, { asyncapi } from 'fastify-wss/asyncapi'

const app = fastify()
await app.register(websocket)
await app.register(asyncapi, { info: { title: 'Packed', version: '1' } })
await app.ready()
console.log(app.asyncapi().info.title, plugin === asyncapi)
await app.close()
