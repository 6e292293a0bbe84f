'use strict'

// Another plugin, that insists on @fastify/websocket, in one application with it.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fastify = require('fastify')
const fp = require('fastify-plugin')
const websocket = require('fastify-wss')

const rooms = fp(async app => {
  assert.ok(app.hasPlugin('@fastify/websocket'))
  app.get('/rooms', { websocket: true }, socket => { socket.send(`${app.websocketServer.clients.size} here`) })
}, { name: 'rooms', fastify: '5.x', dependencies: ['@fastify/websocket'] })

async function main () {
  await assert.rejects(async () => await fastify().register(rooms), /@fastify\/websocket/)

  const app = fastify()
  app.register(websocket)
  app.register(rooms)
  await app.ready()

  let message
  const client = await app.injectWS('/rooms', {}, { onInit (socket) { message = once(socket, 'message') } })
  console.log(String((await message)[0]))
  client.close()
  await app.close()
}

main()
