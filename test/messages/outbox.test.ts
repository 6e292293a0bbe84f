import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { streamOf } from '../../src/beneath'
import { Outbox } from '../../src/messages/outbox'
import type { RouteSocket, WebsocketPluginOptions } from '../../types'
import { start, type Client } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { connectBy } from '../helpers/ways'

checkLeaksAtEnd(t)

interface Options {
  isBinary?: boolean
  websocket?: WebsocketPluginOptions
  perMessageDeflate?: boolean
}

async function open (t: Test, { isBinary = false, websocket = {}, perMessageDeflate = false }: Options = {}): Promise<Client & { outbox: Outbox, served: RouteSocket }> {
  const handled = deferred<RouteSocket>()
  const running = await start(t, { websocket }, app => {
    app.get('/', { websocket: true }, socket => { handled.resolve(socket) })
  })
  const client = await connectBy(t, 'tcp', running, '/', { perMessageDeflate })
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

t.test('what is sent is of the kind of the format, whatever it is made of', async t => {
  const text = await open(t)
  await text.outbox.send(Buffer.from('hello'))
  t.equal((await text.inbox.next()).isBinary, false)
  const binary = await open(t, { isBinary: true })
  await binary.outbox.send('hello')
  t.equal((await binary.inbox.next()).isBinary, true)
})
