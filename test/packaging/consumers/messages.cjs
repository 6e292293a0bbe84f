'use strict'

const fastify = require('fastify')
const websocket = require('fastify-wss')
const messages = require('fastify-wss/messages')
const { readMessages } = require('fastify-wss/testing')

const text = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] }

async function main () {
  const app = fastify()
  app.register(websocket)
  app.register(messages)
  app.register(async scope => {
    scope.get('/', { websocket: true, schema: { messages: { receive: text, send: text } } }, async socket => {
      for await (const message of socket.messages()) await socket.sendMessage({ text: message.text.toUpperCase(), secret: 1 })
    })
  })

  await app.ready()
  const socket = await app.injectWS('/')
  const inbox = readMessages(socket)
  socket.send('{"text":"hello"}')
  console.log(String(await inbox.next()))
  socket.send('{}')
  console.log(await inbox.closed)
  await app.close()
}

main()
