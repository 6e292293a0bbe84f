import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { streamOf } from '../../src/beneath'
import { Outbox } from '../../src/messages/outbox'
import pubsub from '../../src/pubsub'
import { countSent } from '../../src/sent'
import type { RouteSocket, WebsocketPluginOptions } from '../../types'
import { start, type Client } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { connectBy, transportOf, type Way, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

interface Options {
  way?: Way
  isBinary?: boolean
  websocket?: WebsocketPluginOptions
  perMessageDeflate?: boolean
}

async function open (t: Test, { way = 'tcp', isBinary = false, websocket = {}, perMessageDeflate = false }: Options = {}): Promise<Client & { outbox: Outbox, served: RouteSocket }> {
  const handled = deferred<RouteSocket>()
  const running = await start(t, { over: transportOf(way), websocket }, app => {
    app.get('/', { websocket: true }, socket => { handled.resolve(socket) })
  })
  const client = await connectBy(t, way, running, '/', { perMessageDeflate })
  const served = await handled.promise
  return { ...client, outbox: new Outbox(served, isBinary), served }
}

t.test('what is sent resolves when the system has it, and rejects when the client is gone', async t => {
  const { outbox, socket, inbox, served } = await open(t)
  await outbox.send('hello')
  t.equal(String(await inbox.next()), 'hello')

  socket.pause()
  const late = Promise.allSettled(Array.from({ length: 50 }, () => outbox.send('x'.repeat(1024 * 1024))))
  socket.terminate()
  await once(served, 'close')
  const ends = await within(late, 'the end of every send')
  const last = ends.at(-1)
  t.match(last, { status: 'rejected', reason: { code: 'FST_WS_MESSAGES_CLOSED', cause: Error } })
  await t.rejects(outbox.send('too late'), { code: 'FST_WS_MESSAGES_CLOSED', cause: undefined })
})

for (const [name, options, perMessageDeflate] of [
  ['a system that takes its time', {}, false],
  ['compression', { options: { perMessageDeflate: { threshold: 0 } } }, true]
] as const) {
  t.test(`what is sent through ${name} resolves when it is through`, async t => {
    const { outbox, socket, inbox, served } = await open(t, { websocket: options, perMessageDeflate })
    const stream = streamOf(served) as Duplex
    const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean
    let emptyWrites = 0
    stream.write = (chunk: unknown, ...rest: unknown[]) => {
      if ((chunk as Buffer).length === 0) emptyWrites++
      return write(chunk, ...rest)
    }
    socket.pause()
    let sent = 0
    const sends: Array<Promise<void>> = []
    // Until the system takes no more.
    while (served.bufferedAmount < 1024 * 1024) {
      sends.push(outbox.send(randomBytes(512 * 1024).toString('base64')).then(() => { sent++ }))
      await new Promise(resolve => { setImmediate(resolve) })
    }
    t.ok(sent < sends.length, `${sends.length - sent} of ${sends.length} wait`)
    const last = outbox.send('the last')
    socket.resume()
    await within(Promise.all([...sends, last]), 'all of it')
    t.equal(served.bufferedAmount, 0)
    t.equal(emptyWrites, perMessageDeflate ? 0 : 1, 'it is asked at most once behind a message')
    for (let i = 0; i < sends.length; i++) await inbox.next()
    t.equal(String(await inbox.next()), 'the last')
  })
}

async function read ({ inbox }: Client, count: number): Promise<string[]> {
  const all: string[] = []
  for (let i = 0; i < count; i++) all.push(String(await inbox.next()))
  return all
}

/** The pieces that are written to the stream of a socket. */
function watchWrites (served: RouteSocket): unknown[] {
  const stream = streamOf(served) as Duplex
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  const pieces: unknown[] = []
  stream.write = (...args: unknown[]) => {
    pieces.push(args[0])
    return write(...args)
  }
  return pieces
}

for (const way of WAYS) {
  t.test(`whatever it is made of it arrives, over ${way}`, async t => {
    for (const isBinary of [false, true]) {
      const { outbox, inbox } = await open(t, { isBinary, way })
      for (const text of ['', 'x', 'grün ☕', 'x'.repeat(126), 'ü'.repeat(5000), 'x'.repeat(16 * 1024), 'ü'.repeat(16 * 1024), 'x'.repeat(100_000)]) {
        for (const data of [text, Buffer.from(text), new Uint8Array(Buffer.from(text))]) {
          await within(outbox.send(data), 'the send')
          const message = await inbox.next()
          t.equal(String(message), text)
          t.equal(message.isBinary, isBinary)
        }
      }
    }
  })
}

t.test('what is small is written as one piece', async t => {
  const { outbox, served, inbox } = await open(t)
  const pieces = watchWrites(served)
  for (const text of ['x', 'grün', 'x'.repeat(1000)]) {
    pieces.length = 0
    await outbox.send(text)
    t.equal(pieces.length, 1)
    t.equal(String(await inbox.next()), text)
  }
})

t.test('also where the system takes its time', async t => {
  const { outbox, served, inbox } = await open(t, { way: 'tls' })
  const pieces = watchWrites(served)
  await outbox.send('1')
  await outbox.send('2')
  t.same(await read({ inbox } as Client, 2), ['1', '2'])
  t.equal(pieces.filter(piece => (piece as string).length > 0).length, 2)
})

t.test('it does not overtake what ws has under way, nor comes between the fragments of a message', async t => {
  const { outbox, served, ...client } = await open(t)
  for (const blob of [new Blob(['blob']), new Blob([])]) {
    served.send(blob as never)
    await outbox.send('behind')
    t.same(await read(client, 2), [await blob.text(), 'behind'])
  }
  served.send('a', { fin: false })
  await outbox.send('b')
  await outbox.send('c')
  t.same(await read(client, 2), ['ab', 'c'])
})

t.test('it does not overtake what is published, nor is overtaken', async t => {
  const handled = deferred<RouteSocket>()
  const running = await start(t, async app => {
    await app.register(pubsub)
    app.get('/', { websocket: true }, socket => { handled.resolve(socket) })
  })
  const client = await running.connect()
  const served = await handled.promise
  const outbox = new Outbox(served, false)
  await served.subscribe('topic')
  const pieces = watchWrites(served)
  await outbox.send('0')
  t.equal(pieces.length, 1, 'pub/sub has nothing against one piece')
  const expected = ['0']
  for (let i = 1; i < 9; i++) {
    expected.push(`${i}`)
    if (i % 3 === 0) outbox.send(`${i}`)
    else running.app.pubsub.publish('topic', `${i}`)
  }
  t.same(await read(client, 9), expected)
})

t.test('whoever wants to see what is sent sees it', async t => {
  const seen: unknown[] = []
  class Own extends WebSocket {
    override send (...args: unknown[]): void {
      seen.push(args[0])
      Reflect.apply(super.send, this, args)
    }
  }
  const { outbox, served, ...client } = await open(t, { websocket: { options: { WebSocket: Own } } })
  await outbox.send('by the class')
  const send = served.send.bind(served) as (...args: unknown[]) => void
  served.send = (...args: unknown[]) => {
    seen.push('replaced')
    send(...args)
  }
  await outbox.send('by the socket')
  t.same(await read(client, 2), ['by the class', 'by the socket'])
  t.same(seen, ['by the class', 'replaced', 'by the socket'])
})

t.test('it counts for the options that count what is sent', async t => {
  const { outbox, served, inbox } = await open(t)
  const counted: unknown[] = []
  countSent(served, (_socket, data) => { counted.push(data) })
  for (const text of ['small', 'x'.repeat(100_000)]) {
    await outbox.send(text)
    t.equal(String(await inbox.next()), text)
  }
  t.same(counted, ['small', 'x'.repeat(100_000)])
})
