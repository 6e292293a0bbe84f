// Nothing is lost while an async handler gets ready: over every way in, for every way to listen.
import t, { type Test } from 'tap'
import { on, once } from 'node:events'
import { createWebSocketStream, type WebSocket } from 'ws'
import { start, type Client, type Running } from '../helpers/app'
import { type Deferred, deferred } from '../helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectBy, flushed, transportOf, WAYS, type Way } from '../helpers/ways'

checkLeaksAtEnd(t)

// More than the buffers of both ends of a local connection take.
const CHUNK = 256 * 1024
const CHUNKS = 96

type Take = (message: string) => void

function listenOn (socket: WebSocket, take: Take): void {
  socket.on('message', data => { take(String(data)) })
}

/** Ways to listen, each of which gives every message to `take`. They may end when the socket does. */
const listeners: Record<string, (socket: WebSocket, take: Take) => unknown> = {
  on: listenOn,
  once (socket, take) {
    socket.once('message', function takeNext (data) {
      take(String(data))
      socket.once('message', takeNext)
    })
  },
  addEventListener (socket, take) {
    socket.addEventListener('message', ({ data }) => { take(String(data)) })
  },
  onmessage (socket, take) {
    socket.onmessage = ({ data }) => { take(String(data)) }
  },
  createWebSocketStream (socket, take) {
    createWebSocketStream(socket, { readableObjectMode: true }).on('data', data => { take(String(data)) }).on('error', () => {})
  },
  async 'events.on' (socket, take) {
    for await (const [data] of on(socket, 'message', { close: ['close'] })) take(String(data))
  },
  async 'events.once' (socket, take) {
    while (socket.readyState === socket.OPEN) take(String((await once(socket, 'message'))[0]))
  }
}

interface Late {
  running: Running;
  client: Client;
  served: WebSocket;
  ready: Deferred<void>;
  messages: string[];
}

/** A client of a handler that listens with `listen` once it is ready, and then settles only if `listen` does. */
async function startLate (t: Test, way: Way, listen: (socket: WebSocket, take: Take) => unknown, perMessageDeflate = false): Promise<Late> {
  const served = deferred<WebSocket>()
  const ready = deferred()
  const messages: string[] = []
  const running = await start(t, { over: transportOf(way), websocket: { options: { perMessageDeflate } } }, app => {
    app.get('/', { websocket: true }, async socket => {
      served.resolve(socket)
      await ready.promise
      await listen(socket, message => { messages.push(message) })
    })
  })
  const client = await connectBy(t, way, running, '/', { perMessageDeflate })
  return { running, client, served: await served.promise, ready, messages }
}

for (const way of WAYS) {
  for (const [name, listen] of Object.entries(listeners)) {
    t.test(`gives early messages to ${name}, over ${way}`, async t => {
      const { client, ready, messages } = await startLate(t, way, listen)
      for (let i = 0; i < 50; i++) client.socket.send(`early ${i}`)
      await flushed(client.socket)
      t.strictSame(messages, [])

      ready.resolve()
      for (let i = 0; i < 50; i++) client.socket.send(`late ${i}`)
      await until(() => messages.length >= 100, '100 messages')

      t.strictSame(messages, [...Array(50).keys()].map(i => `early ${i}`).concat([...Array(50).keys()].map(i => `late ${i}`)))
    })
  }

  t.test(`gives early messages that were compressed, over ${way}`, async t => {
    const { client, served, ready, messages } = await startLate(t, way, listenOn, true)
    t.equal(served.extensions, 'permessage-deflate')
    const long = 'compressible '.repeat(1000)
    for (let i = 0; i < 20; i++) client.socket.send(i % 2 === 0 ? long : Buffer.from(`short ${i}`))
    await flushed(client.socket)

    ready.resolve()
    await until(() => messages.length >= 20, '20 messages')

    t.strictSame(messages, [...Array(20).keys()].map(i => i % 2 === 0 ? long : `short ${i}`))
  })

  t.test(`holds a flood back and loses nothing of it, over ${way}`, async t => {
    const { client, served, ready, messages } = await startLate(t, way, (socket, take) => {
      socket.on('message', (data: Buffer) => { take(String(data.readUInt32BE())) })
    })
    for (let i = 0; i < CHUNKS; i++) {
      const chunk = Buffer.alloc(CHUNK)
      chunk.writeUInt32BE(i)
      client.socket.send(chunk)
    }
    await until(() => served.isPaused, 'the pause')
    t.ok(client.socket.bufferedAmount > 0, 'the client waits')

    ready.resolve()
    await until(() => messages.length >= CHUNKS, 'all messages')

    t.strictSame(messages, [...Array(CHUNKS).keys()].map(String))
  })

  t.test(`drops early messages when the handler settles without a listener, over ${way}`, async t => {
    const { client, served, ready } = await startLate(t, way, () => {})
    client.socket.send('early')
    await flushed(client.socket)
    ready.resolve()
    await flushed(client.socket)

    const next = once(served, 'message')
    client.socket.send('late')

    t.equal(String((await within(next, 'a message'))[0]), 'late')
  })

  t.test(`tells of a close behind early messages, over ${way}`, async t => {
    const { client, served } = await startLate(t, way, () => {})
    const closed = once(served, 'close')
    client.socket.send('early')
    client.socket.close(4001)

    t.equal((await within(closed, 'the close'))[0], 4001)
  })

  t.test(`ends though a handler never settles, over ${way}`, async t => {
    const { running, client } = await startLate(t, way, () => {})
    for (let i = 0; i < 5; i++) client.socket.send('early')
    await flushed(client.socket)

    client.socket.terminate()
    await until(() => running.app.websocketServer.clients.size === 0, 'the end of the connection')
    await assertServerHoldsNothing(t, running.server)
    await t.resolves(within(running.app.close(), 'app.close()'))
  })
}
