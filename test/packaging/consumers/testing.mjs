import fastify from 'fastify'
import websocket from 'fastify-wss'
import { readMessages } from 'fastify-wss/testing'

const app = fastify()
await app.register(websocket)
app.get('/', { websocket: true }, socket => {
  socket.send('first')
  socket.send('second')
  socket.close(1000)
})
await app.ready()

let inbox
await app.injectWS('/', {}, { onInit (socket) { inbox = readMessages(socket) } })
for await (const message of inbox) console.log(message.toString())
await app.close()
