import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { FastifyRequest } from 'fastify'
import { Channel, NOTHING } from '../../src/messages/channel'
import type { Format } from '../../src/messages/format'
import { FST_WS_MESSAGES_UNSERIALIZABLE } from '../../src/errors'
import { invalid } from '../../src/messages/invalid'
import { readOptions } from '../../src/messages/options'
import type { RouteSocket } from '../../types'
import type { MessagesOptions } from '../../types/messages'
import { start, type Running } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { connectBy, flushed } from '../helpers/ways'
import type { Client } from '../helpers/app'

checkLeaksAtEnd(t)

interface Opened extends Client {
  channel: Channel
  served: RouteSocket
  running: Running
  /** How often the reader was called. */
  calls: () => number
}

const JSON_FORMAT = {
  isBinary: false,
  isJson: true,
  hasReply: true,
  decode: bytes => JSON.parse(String(bytes)),
  encode: JSON.stringify,
  encodeAny: JSON.stringify,
  validate (value) {
    if (value === 'bad' || (value as { bad?: boolean }).bad === true) throw invalid(1008, ' bad')
    return value
  }
} as Format

async function open (t: Test, format: Partial<Format> = {}, options: MessagesOptions = {}): Promise<Opened> {
  const handled = deferred<{ served: RouteSocket, request: FastifyRequest }>()
  const running = await start(t, app => {
    app.get('/', { websocket: true }, (served, request) => { handled.resolve({ served, request }) })
  })
  const client = await connectBy(t, 'tcp', running)
  const { served, request } = await handled.promise
  let calls = 0
  const channel = new Channel(served, { ...JSON_FORMAT, ...format }, readOptions(options), request)
  channel.open(() => { calls++ })
  return { ...client, channel, served, running, calls: () => calls }
}

async function send ({ socket }: Opened, ...messages: unknown[]): Promise<void> {
  for (const message of messages) socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  await flushed(socket)
}

t.test('messages are taken in order, decoded when it is their turn', async t => {
  let decoded = 0
  const opened = await open(t, {
    decode (bytes) {
      decoded++
      return JSON.parse(String(bytes))
    }
  })
  const { channel, calls } = opened
  await send(opened, 1, 2)
  t.strictSame([calls(), decoded], [2, 0])
  t.equal(channel.take(), 1)
  t.equal(decoded, 1)
  t.equal(channel.take(), 2)
  t.equal(channel.take(), NOTHING)
  t.notOk(channel.isEnded)
})

t.test('there is one reader at a time, and behind it nothing is left', async t => {
  const { channel, served } = await open(t)
  t.ok(channel.isRead)
  t.throws(() => channel.open(() => {}), { code: 'FST_WS_MESSAGES_TAKEN' })
  const before = ['message', 'close'].map(event => served.listenerCount(event))
  channel.close()
  t.notOk(channel.isRead)
  t.strictSame(['message', 'close'].map(event => served.listenerCount(event)), before.map(count => count - 1))
  t.doesNotThrow(() => channel.open(() => {}))
})

t.test('what came before the close can be taken behind it', async t => {
  const opened = await open(t)
  const { channel, socket, served, calls } = opened
  socket.send('1')
  socket.close()
  await once(served, 'close')
  t.equal(calls(), 2)
  t.ok(channel.isEnded)
  t.equal(channel.take(), 1)
  t.equal(channel.take(), NOTHING)
})

t.test('an invalid message closes, and nothing behind it is delivered', async t => {
  const opened = await open(t)
  const { channel, inbox, socket } = opened
  await send(opened, 1, '{', 3)
  t.equal(channel.take(), 1)
  t.equal(channel.take(), NOTHING)
  socket.send('4')
  t.same(await inbox.closed, { code: 1007, reason: 'message cannot be decoded' })
  t.equal(channel.take(), NOTHING)
})

t.test('of a promise too, and those behind it wait for it', async t => {
  const opened = await open(t, { validate: async value => value }, { invalid: 'drop' })
  const { channel } = opened
  await send(opened, '{', 2, '{', '{')
  const first = channel.take()
  t.ok(first instanceof Promise)
  t.equal(await first, 2)
  t.equal(await channel.take(), NOTHING)

  await send(opened, 3)
  t.equal(await channel.take(), 3)
})

t.test('invalid messages one after the other, each with a promise, come to their end', async t => {
  const opened = await open(t, { validate: async () => { throw invalid(1008, ' no') } }, { invalid: 'drop' })
  await send(opened, ...Array.from({ length: 2000 }, (_, index) => index))
  t.equal(await opened.channel.take(), NOTHING)
})

t.test('an answer to an invalid message does not overtake', async t => {
  const opened = await open(t, {}, { invalid: 'reply' })
  const { channel, inbox } = opened
  await send(opened, { a: 1 }, '{', { bad: true, requestId: 7 }, { a: 2 })
  t.strictSame(channel.take(), { a: 1 })
  await channel.send('"first"')
  t.strictSame(await channel.take(), { a: 2 })
  t.equal(String(await inbox.next()), '"first"')
  t.equal(String(await inbox.next()), '{"error":{"code":"FST_WS_MESSAGES_INVALID","message":"message cannot be decoded"}}')
  t.match(JSON.parse(String(await inbox.next())), { error: { message: 'message bad' }, replyTo: 7 })
})

t.test('a reply that somebody waits for overtakes what waits, and is not for the reader', async t => {
  const opened = await open(t)
  const { channel } = opened
  await send(opened, { a: 1 })
  const reply = channel.exchange?.ask(async () => {}, {})
  await send(opened, { a: 2 }, '{', { yes: true, replyTo: '1' }, { late: true, replyTo: '1' })
  t.strictSame(await reply, { yes: true })
  t.strictSame(channel.take(), { a: 1 })
  t.strictSame(channel.take(), { a: 2 })
})

t.test('replies take no place in the row of what waits', async t => {
  const opened = await open(t, {}, { maxBufferedAmount: 2000 })
  for (let id = 1; id <= 20; id++) {
    const reply = opened.channel.exchange?.ask(async () => {}, {})
    opened.socket.send(JSON.stringify({ id, replyTo: String(id) }))
    t.same(await reply, { id })
  }
  t.equal(opened.served.isPaused, false)
})

t.test('of a codec that takes its time too', async t => {
  const opened = await open(t, { decode: async bytes => JSON.parse(String(bytes)) })
  const { channel } = opened
  const reply = channel.exchange?.ask(async () => {}, {})
  await send(opened, { a: 1 }, '{', { yes: true, replyTo: '1' })
  t.strictSame(await reply, { yes: true })
  t.strictSame(await channel.take(), { a: 1 })
})

t.test('a reply that is taken in its turn is given to who waits, and an invalid one rejects', async t => {
  const opened = await open(t)
  const { channel, served } = opened
  const waiting = Promise.allSettled([channel.exchange?.ask(async () => {}, {}), channel.exchange?.ask(async () => {}, {})])
  await send(opened, { bad: true, replyTo: '1' }, { fine: true, replyTo: '2' })
  t.strictSame((await waiting).map(({ status }) => status), ['rejected', 'fulfilled'])
  t.equal(channel.take(), NOTHING)
  t.equal(served.readyState, served.OPEN)
})

t.test('who wants a reply is known', async t => {
  const opened = await open(t)
  await send(opened, { a: 1, requestId: 'x' })
  const message = opened.channel.take()
  t.strictSame(message, { a: 1 })
  t.equal(opened.channel.exchange?.takeId(message), 'x')
})

t.test('nobody waits for a reply longer than somebody reads, and the connection lasts', async t => {
  const first = await open(t)
  const unread = first.channel.exchange?.ask(async () => {}, {})
  first.channel.close()
  await t.rejects(unread as Promise<unknown>, { code: 'FST_WS_MESSAGES_NO_REPLY' })

  const second = await open(t)
  const closed = second.channel.exchange?.ask(async () => {}, {})
  second.socket.terminate()
  await t.rejects(closed as Promise<unknown>, { code: 'FST_WS_MESSAGES_CLOSED' })
})

t.test('without replies a message is left as it is', async t => {
  const opened = await open(t, { hasReply: false, validate: undefined })
  await send(opened, { requestId: 1, replyTo: 2 })
  t.strictSame(opened.channel.take(), { requestId: 1, replyTo: 2 })
  t.equal(opened.channel.exchange, undefined)
  opened.channel.close()
})

t.test('the first message that the application cannot send is logged', async t => {
  const { channel, running } = await open(t)
  channel.tell(new Error('of no interest'))
  channel.tell(new FST_WS_MESSAGES_UNSERIALIZABLE('one'))
  channel.tell(new FST_WS_MESSAGES_UNSERIALIZABLE('two'))
  await until(() => running.log.some(({ level }) => level === 50), 'a log line')
  t.strictSame(running.log.filter(({ level }) => level === 50).map(({ err }) => err?.message), ['the message cannot be sent: one'])
})
