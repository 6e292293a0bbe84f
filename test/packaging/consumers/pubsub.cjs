'use strict'

const assert = require('node:assert/strict')
const fastify = require('fastify')
const websocket = require('fastify-wss')
const pubsub = require('fastify-wss/pubsub')
const { readMessages } = require('fastify-wss/testing')

async function main () {
  const app = fastify()
  app.register(websocket)
  app.register(pubsub, { engine: pubsub.memory({ history: true }) })
  app.register(async scope => {
    scope.get('/', { websocket: true }, async socket => { await socket.subscribe('news', { after: '0' }) })
  })
  await app.ready()
  await app.pubsub.publish('news', 'first')

  const socket = await app.injectWS('/')
  const inbox = readMessages(socket)
  assert.equal(String(await inbox.next()), 'first')
  await app.pubsub.publish('news', 'second')
  console.log(String(await inbox.next()))
  await app.close()
}

main()
