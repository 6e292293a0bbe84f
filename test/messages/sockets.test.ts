import t, { type Test } from 'tap'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { RouteSocket } from '../../types'
import type { MessagesSchema } from '../../types/messages'
import { type Client, type Running } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { nextJson, Said, say, schema, startMessages } from '../helpers/messages'
import { connectBy, WAYS, transportOf } from '../helpers/ways'

checkLeaksAtEnd(t)

async function open (t: Test, messages: MessagesSchema | undefined): Promise<Client & { served: RouteSocket, running: Running }> {
  const served = deferred<RouteSocket>()
  const running = await startMessages(t, {}, app => {
    app.get('/', { websocket: true, ...(messages && { schema: { messages } }) }, socket => { served.resolve(socket) })
  })
  return { ...await running.connect(), served: await served.promise, running }
}

for (const way of WAYS) {
  t.test(`messages are read and sent by their schemas over ${way}`, async t => {
    const running = await startMessages(t, { over: transportOf(way) }, app => {
      app.get('/', { websocket: true, schema }, async socket => {
        for await (const message of socket.messages()) await socket.sendMessage({ ...message as object, type: 'said', secret: 1 })
      })
    })
    const client = await connectBy(t, way, running)
    say(client, 'hi', { extra: 1 })
    t.same(await nextJson(client), { type: 'said', text: 'hi' })
    say(client, 5)
    t.same(await nextJson(client), { type: 'said', text: '5' })
    say(client, 'longer than twenty characters')
    t.same(await client.inbox.closed, { code: 1008, reason: 'message/text must NOT have more than 20 characters' })
  })
}

t.test('raw listeners go on seeing all that comes', async t => {
  const { served, socket } = await open(t, schema.messages)
  const raw: string[] = []
  served.on('message', data => { raw.push(String(data)) })
  const messages = served.messages()
  socket.send('{"type":"leave"}')
  t.same(await messages.next(), { value: { type: 'leave' }, done: false })
  socket.send('nonsense')
  await until(() => raw.length === 2, 'the second message')
  t.strictSame(raw, ['{"type":"leave"}', 'nonsense'])
  t.same(await messages.next(), { value: undefined, done: true })
})

t.test('a route that declares no messages has none', async t => {
  const { served } = await open(t, undefined)
  const expected = { code: 'FST_WS_MESSAGES_NOT_DECLARED' }
  t.throws(() => served.messages(), expected)
  await t.rejects(served.sendMessage({}), expected)
  await t.rejects(served.request({}), expected)
  await t.rejects(served.reply({}, {}), expected)
})

t.test('wrong options are named', async t => {
  const { served } = await open(t, { reply: true })
  t.throws(() => served.messages({ signal: {} as never }), { code: 'FST_WS_INVALID_OPTION', message: /options\.signal must be an AbortSignal/ })
  t.throws(() => served.messages({ sginal: undefined } as never), { message: /options\.sginal is not known/ })
  served.messages()
  await t.rejects(served.request({}, { timeout: 0 }), { message: /options\.timeout must be a number of milliseconds/ })
  await t.rejects(served.request({}, { signal: 1 as never }), { message: /options\.signal must be an AbortSignal/ })
  await t.rejects(served.request({}, { tiemout: 1 } as never), { message: /options\.tiemout is not known/ })
})

t.test('a request is answered by the client, and a client by us', async t => {
  const client = await open(t, { reply: true, send: Said })
  const { served, socket } = client
  const messages = served.messages()
  const reply = served.request({ type: 'said', text: 'who?' })
  t.same(await nextJson(client), { requestId: '1', type: 'said', text: 'who?' })
  socket.send('{"replyTo":"1","name":"me"}')
  t.same(await reply, { name: 'me' })

  socket.send('{"requestId":7,"type":"ask"}')
  const { value: asked } = await messages.next()
  t.same(asked, { type: 'ask' })
  t.equal(await served.reply(asked, { type: 'said', text: 'here' }), true)
  t.same(await nextJson(client), { replyTo: 7, type: 'said', text: 'here' })
  t.equal(await served.reply(asked, { type: 'said', text: 'again' }), false, 'it has its reply')
  socket.send('{"type":"say"}')
  const { value: said } = await messages.next()
  t.equal(await served.reply(said, { type: 'said', text: 'unasked' }), false, 'it did not ask')
  await served.sendMessage({ type: 'said', text: 'end' })
  t.same(await nextJson(client), { type: 'said', text: 'end' })
})

t.test('there is no request where nobody reads, and none where none is allowed', async t => {
  const { served } = await open(t, { reply: true })
  await t.rejects(served.request({}), { code: 'FST_WS_MESSAGES_NO_REPLY', message: 'there can be no reply: nobody reads its messages' })
  const other = await open(t, {})
  other.served.messages()
  await t.rejects(other.served.request({}), { code: 'FST_WS_MESSAGES_NO_REPLY', message: 'there can be no reply: the route of this socket does not allow it' })
  await t.rejects(other.served.reply({}, {}), { code: 'FST_WS_MESSAGES_NO_REPLY' })
})

t.test('a request that is over is told so, whatever ended it', async t => {
  const { served, socket } = await open(t, { reply: true })
  served.messages()
  await t.rejects(served.request({}, { timeout: 5 }), { code: 'FST_WS_MESSAGES_TIMEOUT' })
  await t.rejects(served.request({}, { signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' })
  await t.rejects(served.request('no object'), { code: 'FST_WS_MESSAGES_UNSERIALIZABLE' })
  const waiting = served.request({})
  socket.terminate()
  await t.rejects(waiting, { code: 'FST_WS_MESSAGES_CLOSED' })
})

t.test('nobody has to catch what cannot be sent, and the log tells of what the application did wrong', async t => {
  const { served, socket, running } = await open(t, { send: Said, reply: true })
  served.sendMessage({ type: 'said' })
  served.sendMessage({ type: 'said' })
  await until(() => running.log.some(({ level }) => level === 50), 'a log line')
  socket.terminate()
  await once(served, 'close')
  served.sendMessage({ type: 'said', text: 'too late' })
  served.request({ type: 'said', text: 'too late' })
  // An unhandled rejection would fail this file.
  await new Promise(resolve => { setImmediate(resolve) })
  t.strictSame(running.log.filter(({ level }) => level === 50).map(({ msg }) => msg), ['the message cannot be sent: "text" is required!'])
})

t.test('the class of the application is beneath', async t => {
  class Own extends WebSocket {
    greet (): string { return 'hello' }
  }
  const served = deferred<RouteSocket>()
  const running = await startMessages(t, { websocket: { options: { WebSocket: Own } } }, app => {
    app.get('/', { websocket: true, schema }, socket => { served.resolve(socket) })
  })
  await running.connect()
  const socket = await served.promise
  t.equal((socket as unknown as Own).greet(), 'hello')
  t.type(socket.messages, 'function')
})
