// What fastify-wss/messages has, and what it adds to routes and to the sockets of handlers where it is imported. Types come of the
// schemas by TypeBox, of generics, or of nothing.

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { fastify } from 'fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { WebSocket as WsSocket } from 'ws'
import websocket, { type WebSocket, type WebsocketHandler } from 'fastify-wss'
import plugin, { messages, type InvalidMessageError, type MessageCodec, type Messages, type MessagesOptions } from 'fastify-wss/messages'
import { Type } from 'typebox'
import { expectType } from '../expect-type.js'

const app = fastify()
await app.register(websocket)
await app.register(plugin)
await app.register(messages, { invalid: 'reply', concurrency: 2, maxBufferedAmount: 1024, grace: 1000 })
expectType<typeof messages>().from(plugin.default)

// Options

const codec: MessageCodec = { binary: true, decode: data => data.length, encode: value => Buffer.from(String(value)) }
const options: MessagesOptions = {
  codec,
  invalid (error, socket, request) {
    expectType<InvalidMessageError>().from(error)
    expectType<1003 | 1007 | 1008>().from(error.closeCode)
    expectType<FastifyRequest>().from(request)
    socket.close(error.closeCode, error.validation?.[0]?.message)
  }
}
await app.register(messages, options)
await app.register(messages, { codec: null, invalid: null, concurrency: null, maxBufferedAmount: null, grace: null })
// @ts-expect-error: none of the three
await app.register(messages, { invalid: 'ignore' })
// @ts-expect-error: a codec has to encode too
await app.register(messages, { codec: { binary: true, decode: data => data } })
// @ts-expect-error: no such option
await app.register(messages, { onMessage: () => {} })

const api: Messages = app.messages
const serialize = api.serializer(Type.Object({ text: Type.String() }))
expectType<string>().from(serialize({ text: 'hello' }))

// TypeBox

type Received = { type: 'say', text: string } | { type: 'leave' }

const Say = Type.Object({ type: Type.Literal('say'), text: Type.String() })
const Leave = Type.Object({ type: Type.Literal('leave') })
const Said = Type.Object({ type: Type.Literal('said'), text: Type.String() })
const schema = { messages: { receive: Type.Union([Say, Leave]), send: Said, reply: true } }

const typed = app.withTypeProvider<TypeBoxTypeProvider>()
typed.get('/room/:id', {
  websocket: true,
  schema: { params: Type.Object({ id: Type.String() }), messages: { receive: Type.Union([Say, Leave]), send: Said } }
}, async (socket, request) => {
  expectType<{ id: string }>().from(request.params)
  for await (const message of socket.messages({ signal: request.signal })) {
    expectType<Received>().from(message)
    if (message.type === 'say') await socket.sendMessage({ type: 'said', text: message.text })
    // @ts-expect-error: no branch has it
    message.foo?.()
  }
  // @ts-expect-error: no such message
  await socket.sendMessage({ type: 'sad' })
  // @ts-expect-error: an object with a signal
  socket.messages(request.signal)
})

typed.get('/requests', { websocket: { heartbeat: true }, schema }, async (socket, request) => {
  const answer = await socket.request({ type: 'said', text: 'who?' }, { timeout: 100, signal: request.signal })
  expectType<Received>().from(answer)
  for await (const message of socket.messages()) expectType<boolean>().from(await socket.reply(message, { type: 'said', text: 'me' }))
  // @ts-expect-error: what it replies to is a message of the client
  await socket.reply({ type: 'said', text: 'me' }, { type: 'said', text: 'me' })
  // @ts-expect-error: milliseconds
  await socket.request({ type: 'said', text: 'who?' }, { timeout: '1s' })
})

typed.get('/callback', {
  websocket: true,
  schema,
  messages: { invalid: 'drop' },
  async onMessage (message, socket, request) {
    expectType<FastifyInstance>().from(this)
    expectType<Received>().from(message)
    expectType<string>().from(request.id)
    await socket.sendMessage({ type: 'said', text: 'yes' })
    // @ts-expect-error: no such message
    await socket.sendMessage({ type: 'sad' })
  }
}, () => {})

typed.get('/among', {
  websocket: true,
  schema,
  onMessage: message => { expectType<Received>().from(message) },
  handler: async socket => { await socket.sendMessage({ type: 'said', text: 'hello' }) }
})

typed.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  schema,
  onMessage: message => { expectType<Received>().from(message) },
  handler: async socket => {
    for await (const message of socket.messages()) expectType<Received>().from(message)
    // @ts-expect-error: no such message
    await socket.sendMessage({ type: 'sad' })
  }
})

typed.route({
  method: 'GET',
  url: '/both',
  schema,
  handler: async () => 'hello',
  wsHandler: async socket => {
    for await (const message of socket.messages()) expectType<Received>().from(message)
    // @ts-expect-error: no such message
    await socket.sendMessage({ type: 'sad' })
  }
})

typed.get('/received-only', { websocket: true, schema: { messages: { receive: Say } } }, async socket => {
  for await (const message of socket.messages()) expectType<{ type: 'say', text: string }>().from(message)
  await socket.sendMessage(['anything'])
})

// Generics

interface Asked { a: number }
interface Answered { b: number }

app.get<{ Receive: Asked, Send: Answered }>('/generics', { websocket: true, schema: { messages: {} } }, async socket => {
  for await (const message of socket.messages()) {
    expectType<Asked>().from(message)
    await socket.sendMessage({ b: message.a })
  }
  // @ts-expect-error: no such message
  await socket.sendMessage({ c: 1 })
})
app.get<{ Receive: Asked, Send: Answered }>('/generics', {
  websocket: true,
  onMessage: async (message, socket) => {
    expectType<Asked>().from(message)
    await socket.sendMessage({ b: message.a })
  }
}, () => {})
app.route<{ Receive: Asked }>({
  method: 'GET',
  url: '/generics',
  websocket: true,
  schema: { messages: {} },
  handler: async socket => {
    for await (const message of socket.messages()) expectType<Asked>().from(message)
    await socket.sendMessage({ anything: true })
  }
})
// They win over the schema.
typed.get<{ Receive: Asked }>('/generics', { websocket: true, schema }, async socket => {
  for await (const message of socket.messages()) expectType<Asked>().from(message)
})

// Nothing

app.get('/unknown', { websocket: true, schema: { messages: {} } }, async socket => {
  for await (const message of socket.messages()) expectType<unknown>().from(message)
  await socket.sendMessage({ anything: true })
})
app.get('/unknown', { websocket: true, onMessage: message => { expectType<unknown>().from(message) } }, () => {})

// Handlers of their own

function ofWs (socket: WsSocket): void { socket.close() }
function ofOurs (socket: WebSocket): void { socket.close() }
const handler: WebsocketHandler = async (socket, request) => {
  for await (const message of socket.messages()) {
    expectType<unknown>().from(message)
    await socket.sendMessage(request.id)
  }
}
async function answer (message: Asked): Promise<void> { message.a.toFixed() }

typed.get('/own', { websocket: true, schema }, ofWs)
typed.get('/own', { websocket: true, schema }, ofOurs)
app.get('/own', { websocket: true, schema: { messages: {} } }, handler)
app.get<{ Receive: Asked }>('/own', { websocket: true, onMessage: answer }, ofWs)
// @ts-expect-error: it takes other messages than the route has
typed.get('/own', { websocket: true, schema, onMessage: answer }, ofWs)

// The client of injectWS has none of it.
const client = await app.injectWS('/own')
// @ts-expect-error: as a socket of ws
client.messages()
