import { fastify } from 'fastify'
import websocket from 'fastify-wss'
import plugin, { messages } from 'fastify-wss/messages'
import type { MessageCodec, MessagesOptions } from 'fastify-wss/messages'

const codec: MessageCodec = { binary: true, decode: data => data.length, encode: value => Buffer.alloc(Number(value)) }
const options: MessagesOptions = { codec, invalid: (error, socket) => { socket.close(error.closeCode) } }

const app = fastify()
app.register(websocket)
app.register(plugin)
app.register(messages, options)
app.get<{ Receive: number, Send: string }>('/', { websocket: true, schema: { messages: { reply: true } } }, async socket => {
  for await (const length of socket.messages()) await socket.reply(length, length.toFixed())
})
app.get<{ Receive: number }>('/callback', { websocket: true, onMessage: (message, socket) => socket.sendMessage(message.toFixed()) }, () => {})
