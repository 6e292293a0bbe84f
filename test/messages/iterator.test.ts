import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { FastifyRequest } from 'fastify'
import { Channel } from '../../src/messages/channel'
import type { Format } from '../../src/messages/format'
import { MessageIterator } from '../../src/messages/iterator'
import { readOptions } from '../../src/messages/options'
import type { RouteSocket } from '../../types'
import { start, type Client } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { connectBy, flushed } from '../helpers/ways'

checkLeaksAtEnd(t)

interface Opened extends Client {
  channel: Channel
  served: RouteSocket
  read: (signal?: AbortSignal) => MessageIterator
}

const FORMAT = { isBinary: false, decode: bytes => JSON.parse(String(bytes)) } as Format

async function open (t: Test, format: Partial<Format> = {}): Promise<Opened> {
  const handled = deferred<{ served: RouteSocket, request: FastifyRequest }>()
  const running = await start(t, app => {
    app.get('/', { websocket: true }, (served, request) => { handled.resolve({ served, request }) })
  })
  const client = await connectBy(t, 'tcp', running)
  const { served, request } = await handled.promise
  const channel = new Channel(served, { ...FORMAT, ...format }, readOptions({ maxBufferedAmount: 1000 }), request)
  return { ...client, channel, served, read: signal => new MessageIterator(channel, signal) }
}

const DONE = { value: undefined, done: true }

t.test('each call gets a message in order, those that came and those to come', async t => {
  const { socket, read } = await open(t)
  const messages = read()
  socket.send('1')
  socket.send('2')
  await flushed(socket)
  t.same(await messages.next(), { value: 1, done: false })
  t.same(await messages.next(), { value: 2, done: false })
  const later = [messages.next(), messages.next()]
  socket.send('3')
  socket.send('4')
  t.same(await Promise.all(later), [{ value: 3, done: false }, { value: 4, done: false }])
})

t.test('a loop reads to the end of the connection', async t => {
  const { socket, served, channel, read } = await open(t)
  const messages = read()
  for (let i = 0; i < 20; i++) socket.send(String(i))
  socket.close()
  const seen: unknown[] = []
  for await (const message of messages) seen.push(message)
  t.strictSame(seen, Array.from({ length: 20 }, (_, index) => index))
  t.equal(served.readyState, served.CLOSED)
  t.notOk(channel.isRead)
  t.same(await messages.next(), DONE)
})

t.test('every call that waits hears of the end', async t => {
  const { socket, read } = await open(t)
  const messages = read()
  const waiting = [messages.next(), messages.next()]
  socket.terminate()
  t.same(await Promise.all(waiting), [DONE, DONE])
})

t.test('a slow reader pauses the client, and a fast one goes on where it was', async t => {
  const { socket, served, read } = await open(t)
  const messages = read()
  const paused = once(served, 'message')
  for (let i = 0; i < 10; i++) socket.send(JSON.stringify('x'.repeat(100)))
  await paused
  t.equal(served.isPaused, true)
  for (let i = 0; i < 10; i++) t.equal((await messages.next()).done, false)
  t.equal(served.isPaused, false)
})

t.test('leaving the loop leaves nothing on the socket, which stays open', async t => {
  const { socket, served, channel, read } = await open(t)
  const listeners = served.listenerCount('message')
  socket.send('1')
  socket.send('2')
  for await (const message of read()) {
    if (message === 1) break
  }
  t.equal(served.listenerCount('message'), listeners)
  t.notOk(channel.isRead)
  t.equal(served.readyState, served.OPEN)

  const again = read()
  socket.send('3')
  t.same(await again.next(), { value: 3, done: false })
})

t.test('return and throw end it too, and twice is once', async t => {
  const { read, channel } = await open(t)
  const messages = read()
  const waiting = messages.next()
  t.same(await messages.return(), DONE)
  t.same(await messages.return(), DONE)
  t.same(await waiting, DONE)
  const other = read()
  await t.rejects(other.throw(new Error('by the reader')), { message: 'by the reader' })
  t.same(await other.next(), DONE)
  t.notOk(channel.isRead)
})

t.test('a signal ends it by its reason, told once', async t => {
  const { read, channel } = await open(t)
  const controller = new AbortController()
  const messages = read(controller.signal)
  const waiting = [messages.next(), messages.next()]
  controller.abort(new Error('enough'))
  await t.rejects(waiting[0] as Promise<unknown>, { message: 'enough' })
  t.same(await waiting[1], DONE)
  t.same(await messages.next(), DONE)
  t.notOk(channel.isRead)

  const late = read(controller.signal)
  await t.rejects(late.next(), { message: 'enough' })
  t.same(await late.next(), DONE)
  t.notOk(channel.isRead)
})

t.test('a signal that comes behind the end changes nothing', async t => {
  const { read } = await open(t)
  const controller = new AbortController()
  const messages = read(controller.signal)
  await messages.return()
  controller.abort()
  t.same(await messages.next(), DONE)
})

t.test('a message that takes its time keeps its place', async t => {
  const gate = deferred()
  const { socket, read } = await open(t, { validate: async value => { if (value === 1) await gate.promise; return value } })
  const messages = read()
  const waiting = [messages.next(), messages.next()]
  socket.send('1')
  socket.send('2')
  await flushed(socket)
  gate.resolve(undefined)
  t.same(await Promise.all(waiting), [{ value: 1, done: false }, { value: 2, done: false }])
})

t.test('so does one that waits already', async t => {
  const { socket, read } = await open(t, { decode: async bytes => JSON.parse(String(bytes)) })
  const messages = read()
  socket.send('1')
  socket.send('2')
  await flushed(socket)
  t.same(await Promise.all([messages.next(), messages.next()]), [{ value: 1, done: false }, { value: 2, done: false }])
})

t.test('one that has not come in time for its reader is for nobody', async t => {
  const gate = deferred()
  const { socket, read } = await open(t, { validate: async () => await gate.promise })
  const messages = read()
  const waiting = messages.next()
  socket.send('1')
  await flushed(socket)
  await messages.return()
  gate.resolve(undefined)
  t.same(await waiting, DONE)
  t.same(await messages.next(), DONE)
})

t.test('a promise that turns out to be no message waits for the next', async t => {
  const { socket, read } = await open(t, { decode: async bytes => await JSON.parse(String(bytes)), hasReply: true })
  const messages = read()
  const waiting = messages.next()
  socket.send('{"replyTo":1}')
  socket.send('2')
  t.same(await waiting, { value: 2, done: false })
  socket.send('{"replyTo":1}')
  const last = messages.next()
  socket.close()
  t.same(await last, DONE)
})
