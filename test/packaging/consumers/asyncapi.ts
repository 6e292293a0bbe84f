import { fastify } from 'fastify'
import websocket from 'fastify-wss'
import { asyncapi } from 'fastify-wss/asyncapi'
import type { AsyncAPIDocument, AsyncAPIOptions } from 'fastify-wss/asyncapi'

const options: AsyncAPIOptions = { info: { title: 'Packed', version: '1' }, routePrefix: '/asyncapi' }

const app = fastify()
app.register(websocket)
app.register(asyncapi, options)
app.get('/', { websocket: true, schema: { summary: 'A socket', tags: ['sockets'] } }, () => {})
app.ready(() => {
  const document: AsyncAPIDocument = app.asyncapi()
  const text: string = app.asyncapi({ yaml: true })
  console.log(document.channels, text)
})
