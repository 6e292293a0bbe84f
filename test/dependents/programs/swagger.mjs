// An OpenAPI document of an application: @fastify/swagger.

import swagger from '@fastify/swagger'
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import { ask, listen, upgrade } from './client.mjs'

const querystring = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
const shared = { summary: 'a schema of two routes', querystring }
const shown = Object.freeze({ summary: 'a websocket route in the document', hide: false, querystring })
const untouched = JSON.stringify([shared, shown])

const registrations = {
  swagger: app => app.register(swagger, { openapi: { info: { title: 'API', version: '1' } } }),
  websocket: app => app.register(websocket)
}

for (const order of [['swagger', 'websocket'], ['websocket', 'swagger']]) {
  const app = Fastify()
  for (const name of order) await registrations[name](app)
  app.get('/hidden', { schema: shared, websocket: true }, greet)
  app.get('/plain', { schema: shared }, async () => 'plain')
  app.get('/bare', { websocket: true }, greet)
  app.get('/shown', { schema: shown, websocket: true }, greet)
  app.route({ method: 'GET', url: '/both', schema: shared, handler: async () => 'both', wsHandler: greet })
  const host = await listen(app)
  console.log(`${order.join(' before ')}:`)

  const { paths } = app.swagger()
  for (const path of Object.keys(paths).sort()) console.log(path, paths[path].get.summary)
  console.log('schemas untouched:', JSON.stringify([shared, shown]) === untouched)

  for (const path of ['/hidden', '/shown', '/both']) {
    const { socket } = await upgrade(`ws://${host}${path}?name=ada`)
    const { status, body } = await upgrade(`ws://${host}${path}`)
    console.log(path, await ask(socket, 'hello'), status, JSON.parse(body).message)
  }
  await app.close()
}

function greet (socket, request) {
  socket.on('message', data => socket.send(`${data} ${request.query.name}`))
}
