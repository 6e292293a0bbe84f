import t, { type Test } from 'tap'
import type { FastifyRequest } from 'fastify'
import { Channel } from '../../src/messages/channel'
import { Consumer } from '../../src/messages/consumer'
import type { Format } from '../../src/messages/format'
import { readOptions } from '../../src/messages/options'
import type { RouteSocket, WebsocketPluginOptions } from '../../types'
import { start, type Client, type Running } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { connectBy, flushed } from '../helpers/ways'

checkLeaksAtEnd(t)

const FORMAT = { isBinary: false, decode: bytes => JSON.parse(String(bytes)) } as Format

interface Options {
  concurrency?: number
  format?: Partial<Format>
  websocket?: WebsocketPluginOptions
}

interface Opened extends Client {
  consumer: Consumer
  served: RouteSocket
  running: Running
}

async function open (t: Test, handle: (message: unknown) => unknown, { concurrency = 1, format, websocket }: Options = {}): Promise<Opened> {
  const handled = deferred<{ served: RouteSocket, request: FastifyRequest }>()
  const running = await start(t, { websocket: websocket ?? {} }, app => {
    app.get('/', { websocket: true }, (served, request) => { handled.resolve({ served, request }) })
  })
  const client = await connectBy(t, 'tcp', running)
  const { served, request } = await handled.promise
  const channel = new Channel(served, { ...FORMAT, ...format }, readOptions({ maxBufferedAmount: 2000, invalid: 'drop' }), request)
  return { ...client, consumer: new Consumer(channel, served, handle, concurrency), served, running }
}

async function send ({ socket }: Client, ...messages: unknown[]): Promise<void> {
  for (const message of messages) socket.send(JSON.stringify(message))
  await flushed(socket)
}

t.test('messages wait for the start, then come in order', async t => {
  const seen: unknown[] = []
  const opened = await open(t, message => { seen.push(message) })
  await send(opened, 1, 2)
  t.strictSame(seen, [])
  opened.consumer.start()
  t.strictSame(seen, [1, 2])
  await send(opened, 3)
  t.strictSame(seen, [1, 2, 3])
})

for (const concurrency of [1, 2]) {
  t.test(`at most ${concurrency} at once, and the client is held back meanwhile`, async t => {
    const gates = Array.from({ length: 12 }, () => deferred())
    const begun: number[] = []
    const opened = await open(t, message => {
      begun.push(Number(message))
      return gates[Number(message)]?.promise
    }, { concurrency })
    opened.consumer.start()
    for (let i = 0; i < gates.length; i++) opened.socket.send(String(i))
    await until(() => opened.served.isPaused, 'the pause')
    t.strictSame(begun, [0, 1].slice(0, concurrency))
    for (const [index, gate] of gates.entries()) {
      gate.resolve(undefined)
      const next = Math.min(index + 1 + concurrency, gates.length)
      await until(() => begun.length === next, `message ${next}`)
    }
    t.strictSame(begun, gates.map((_, index) => index))
    t.equal(opened.served.isPaused, false)
  })
}

const failures: Record<string, (message: unknown) => unknown> = {
  throws: message => { if (message === 1) throw new Error('by onMessage') },
  rejects: async message => { if (message === 1) throw new Error('by onMessage') }
}

for (const [name, fail] of Object.entries(failures)) {
  t.test(`what ${name} is an error of the handler`, async t => {
    const opened = await open(t, fail)
    opened.consumer.start()
    opened.socket.send('1')
    t.equal((await opened.inbox.closed).code, 1006)
    t.match(await opened.running.logged('by onMessage'), { level: 50 })
  })

  t.test(`where the errorHandler lets a connection that ${name} be, the next message comes`, async t => {
    const seen: unknown[] = []
    const told: unknown[] = []
    const opened = await open(t, message => {
      seen.push(message)
      return fail(message)
    }, { websocket: { errorHandler: error => { told.push(error.message) } } })
    opened.consumer.start()
    await send(opened, 1, 2)
    await until(() => seen.length === 2, 'the second message')
    t.strictSame([seen, told], [[1, 2], ['by onMessage']])
  })
}

t.test('messages that take their time to validate come in order', async t => {
  const seen: unknown[] = []
  const opened = await open(t, async message => { seen.push(message) }, { format: { decode: async bytes => JSON.parse(String(bytes)) } })
  opened.consumer.start()
  await send(opened, 1, 2)
  opened.socket.send('{')
  await send(opened, 3)
  await until(() => seen.length === 3, 'the messages')
  opened.socket.send('{')
  await flushed(opened.socket)
  await send(opened, 4)
  await until(() => seen.length === 4, 'the last message')
  t.strictSame(seen, [1, 2, 3, 4])
})
