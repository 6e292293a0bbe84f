import fastify from 'fastify'
import websocket from 'fastify-wss'
import plugin, { messages } from 'fastify-wss/messages'
import { readMessages } from 'fastify-wss/testing'

const app = fastify()
await app.register(websocket)
await app.register(messages, { invalid: 'reply' })
app.get('/', { websocket: true, onMessage: (message, socket) => socket.sendMessage(message) }, () => {})

const socket = await app.injectWS('/')
const inbox = readMessages(socket)
socket.send('[1]')
console.log(String(await inbox.next()), plugin === messages)
await app.close()
