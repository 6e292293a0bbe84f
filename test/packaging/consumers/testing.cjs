'use strict'

const assert = require('node:assert/strict')
const fastify = require('fastify')
const websocket = require('fastify-wss')
const { readMessages } = require('fastify-wss/testing')

async function main () {
  const app = fastify()
  app.register(websocket)
  app.register(async scope => {
    scope.get('/', { websocket: true }, socket => {
      socket.send('first')
      socket.send('second')
      socket.close(1000)
    })
  })
  await app.ready()

  let inbox
  await app.injectWS('/', {}, { onInit (socket) { inbox = readMessages(socket) } })
  assert.equal(String(await inbox.next()), 'first')
  for await (const message of inbox) console.log(message.toString())
  await app.close()
}

main()
