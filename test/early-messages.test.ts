import t, { type Test } from 'tap'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import type { RawData, WebSocket } from 'ws'
import { create, start, type Running } from './helpers/app'
import { type Deferred, deferred } from './helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { closeFrame, frame } from './helpers/raw-client'
import { flushed } from './helpers/ways'

checkLeaksAtEnd(t)

// More than the buffers of both ends of a local connection take.
const CHUNK = Buffer.alloc(256 * 1024)
const CHUNKS = 96

interface Waiting {
  running: Running;
  /** The server's side, as soon as the handler runs. */
  served: Promise<{ socket: WebSocket, request: FastifyRequest }>;
  /** Lets the handler settle. */
  ready: Deferred<void>;
}

/** An application whose handler attaches nothing but what `prepare` does, and is pending until `ready`. */
async function startWaiting (t: Test, prepare: (socket: WebSocket) => void = () => {}, handshakeTimeout?: number): Promise<Waiting> {
  const served = deferred<{ socket: WebSocket, request: FastifyRequest }>()
  const ready = deferred()
  const running = await start(t, { logLevel: 'debug', websocket: { handshakeTimeout } }, app => {
    app.get('/', { websocket: true }, async (socket, request) => {
      prepare(socket)
      served.resolve({ socket, request })
      await ready.promise
    })
  })
  return { running, served: served.promise, ready }
}

function collect (socket: WebSocket): string[] {
  const messages: string[] = []
  socket.on('message', data => { messages.push(String(data)) })
  return messages
}

async function received (messages: unknown[], count: number): Promise<void> {
  await until(() => messages.length >= count, `${count} messages`)
}

t.test('gives the messages that came while the handler got ready to its first listener, in order and as they were', async t => {
  const { running, served } = await startWaiting(t)
  const { socket: client } = await running.connect()
  client.send('text')
  client.send(Buffer.from('binary'))
  client.send('')
  await flushed(client)

  const messages: Array<[string, boolean]> = []
  const { socket } = await served
  socket.on('message', (data, isBinary) => { messages.push([String(data), isBinary]) })
  client.send('later')
  await received(messages, 4)

  t.strictSame(messages, [['text', false], ['binary', true], ['', false], ['later', false]])
})

t.test('keeps what comes between one listener and the next while the handler is pending', async t => {
  const { running, served } = await startWaiting(t)
  const { socket: client } = await running.connect()
  const { socket } = await served

  const first = once(socket, 'message')
  for (const text of ['one', 'two', 'three']) client.send(text)
  await flushed(client)

  t.equal(String((await within(first, 'the first'))[0]), 'one')
  t.equal(String((await within(once(socket, 'message'), 'the second'))[0]), 'two')
  t.equal(String((await within(once(socket, 'message'), 'the third'))[0]), 'three')
})

t.test('keeps what comes after a once that was there before the first wait', async t => {
  const { running, served } = await startWaiting(t, socket => { socket.once('message', () => {}) })
  const { socket: client } = await running.connect()
  client.send('one')
  client.send('two')
  await flushed(client)

  const messages = collect((await served).socket)
  await received(messages, 1)

  t.strictSame(messages, ['two'])
})

t.test('keeps the order for a listener that is attached amid messages that arrive together', async t => {
  for (const method of ['on', 'prependListener'] as const) {
    const messages: string[] = []
    const { running } = await startWaiting(t, socket => {
      socket.once('ping', () => socket[method]('message', (data: RawData) => { messages.push(String(data)) }))
    })
    const client = await running.raw()
    await client.upgrade('/').readResponse()

    client.write(Buffer.concat([frame('text', 'one'), frame('text', 'two'), frame('ping'), frame('text', 'three'), frame('text', 'four')]))
    await received(messages, 4)

    t.strictSame(messages, ['one', 'two', 'three', 'four'], method)
  }
})

t.test('gives nothing twice when a listener takes itself off amid messages that arrive together', async t => {
  const messages: string[] = []
  const { running, served } = await startWaiting(t, socket => {
    function takeOne (data: RawData): void {
      messages.push(String(data))
      socket.off('message', takeOne)
    }
    socket.once('ping', () => { socket.on('message', takeOne) })
  })
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  client.write(Buffer.concat([frame('text', 'one'), frame('ping'), frame('text', 'two'), frame('ping', 'end')]))
  t.equal((await client.readFrame()).payload.length, 0)
  t.equal(String((await client.readFrame()).payload), 'end')

  const { socket } = await served
  socket.on('message', data => { messages.push(String(data)) })
  await received(messages, 2)

  t.strictSame(messages, ['one', 'two'])
})

t.test('delivers at once while a listener is there', async t => {
  const { running } = await startWaiting(t, socket => { socket.on('message', data => socket.send(String(data))) })
  const { socket: client, inbox } = await running.connect()

  client.send('hello')

  t.equal(String(await inbox.next()), 'hello')
})

t.test('does not count among the listeners for messages', async t => {
  const { running, served } = await startWaiting(t)
  await running.connect()

  t.equal((await served).socket.listenerCount('message'), 0)
})

t.test('tells of a close while messages wait, and gives them to a listener that comes after it', async t => {
  const closed = deferred<number>()
  const { running, served } = await startWaiting(t, socket => { socket.on('close', code => { closed.resolve(code) }) })
  const { socket: client } = await running.connect()
  client.send('last words')
  client.close(4001)

  t.equal(await within(closed.promise, 'the close'), 4001)
  const messages = collect((await served).socket)
  await received(messages, 1)
  t.strictSame(messages, ['last words'])
})

t.test('drops what waits when the handler settles without a listener', async t => {
  for (const settle of ['resolve', 'reject'] as const) {
    const served = deferred<WebSocket>()
    const ready = deferred()
    const settled = deferred()
    const running = await start(t, { websocket: { errorHandler: () => {} } }, app => {
      app.get('/', { websocket: true }, socket => {
        served.resolve(socket)
        ready.promise.finally(() => { setImmediate(settled.resolve) }).catch(() => {})
        return ready.promise
      })
    })
    const { socket: client } = await running.connect()
    client.send('early')
    await flushed(client)
    ready[settle](undefined)
    await within(settled.promise, 'settling')

    const messages = collect(await served.promise)
    client.send('late')
    await received(messages, 1)

    t.strictSame(messages, ['late'], settle)
  }
})

t.test('gives what waits to a listener that comes as the handler settles', async t => {
  const ready = deferred()
  const messages: string[] = []
  const running = await start(t, app => {
    app.get('/', { websocket: true }, async socket => {
      await ready.promise
      socket.on('message', data => { messages.push(String(data)) })
    })
  })
  const { socket: client } = await running.connect()
  client.send('one')
  client.send('two')
  await flushed(client)

  ready.resolve()
  await received(messages, 2)

  t.strictSame(messages, ['one', 'two'])
})

t.test('leaves nothing on the socket once the handler has settled', async t => {
  const { running, served, ready } = await startWaiting(t)
  await running.connect()
  const { socket } = await served
  const { emit } = Object.getPrototypeOf(socket)
  t.not(socket.emit, emit, 'held at its emit')

  ready.resolve()

  await until(() => socket.emit === emit, 'the emit of its class')
  t.equal(socket.listenerCount('newListener'), 0)
  t.equal(socket.listenerCount('close'), 1, 'that of ws')
  t.notOk(Object.keys(socket).includes('emit'), 'nothing to be seen')
})

t.test('lets an application wrap emit meanwhile', async t => {
  const events: Array<string | symbol> = []
  const { running, served, ready } = await startWaiting(t)
  const { socket: client } = await running.connect()
  const { socket } = await served
  const { emit } = socket
  socket.emit = function wrapped (event: string | symbol, ...args: unknown[]): boolean {
    events.push(event)
    return Reflect.apply(emit, this, [event, ...args])
  }
  client.send('early')
  await flushed(client)
  ready.resolve()
  await until(() => socket.listenerCount('newListener') === 0, 'the end of the wait')

  client.send('dropped')
  await flushed(client)
  const messages = collect(socket)
  client.send('late')
  await received(messages, 1)

  t.strictSame(messages, ['late'])
  t.equal(events.filter(event => event === 'message').length, 3, 'the wrapper stays')
})

t.test('gives the rest to a listener that threw', async t => {
  const { running, served } = await startWaiting(t)
  const { socket: client } = await running.connect()
  client.send('one')
  client.send('two')
  await flushed(client)
  const { socket } = await served
  const messages: string[] = []
  socket.on('message', data => {
    messages.push(String(data))
    if (messages.length === 1) throw new Error('the first is wrong')
  })

  t.throws(() => socket.emit('message', Buffer.from('three'), false), { message: 'the first is wrong' })
  await received(messages, 3)

  t.strictSame(messages, ['one', 'two', 'three'])
})

t.test('holds a client back that sends more than may wait, and loses nothing of it', async t => {
  const { running, served } = await startWaiting(t)
  const { socket: client } = await running.connect()
  for (let i = 0; i < CHUNKS; i++) {
    CHUNK.writeUInt32BE(i)
    client.send(Buffer.from(CHUNK))
  }
  const { socket, request } = await served
  await until(() => socket.isPaused, 'the pause')
  t.ok(request.raw.socket.bytesRead < CHUNKS * CHUNK.length / 2, 'the server has not read it all')
  t.ok(client.bufferedAmount > 0, 'the client waits')

  const order: number[] = []
  socket.on('message', (data: Buffer) => { order.push(data.readUInt32BE()) })
  await received(order, CHUNKS)

  t.strictSame(order, [...Array(CHUNKS).keys()])
  t.notOk(socket.isPaused)
})

t.test('holds back a client whose messages are taken one at a time', async t => {
  const { running, served } = await startWaiting(t)
  const { socket: client } = await running.connect()
  for (let i = 0; i < 16; i++) client.send(Buffer.alloc(CHUNK.length, i))
  const { socket } = await served
  await until(() => socket.isPaused, 'the pause')

  const order: number[] = []
  while (order.length < 16) {
    const [data] = await within(once(socket, 'message'), `message ${order.length}`)
    order.push(data.readUInt8())
  }

  t.strictSame(order, [...Array(16).keys()])
  t.notOk(socket.isPaused)
})

t.test('leaves a socket paused that its listener has paused', async t => {
  const { running, served } = await startWaiting(t)
  const { socket: client } = await running.connect()
  for (let i = 0; i < 16; i++) client.send(CHUNK)
  const { socket } = await served
  await until(() => socket.isPaused, 'the pause')
  const messages: unknown[] = []

  socket.on('message', data => {
    if (messages.push(data) === 1) socket.pause()
  })
  await received(messages, 1)
  await new Promise(setImmediate)
  t.ok(socket.isPaused)

  socket.resume()
  await received(messages, 16)
})

t.test('leaves a socket paused that the application has paused as it began to listen', async t => {
  const { running, served } = await startWaiting(t)
  const { socket: client } = await running.connect()
  for (let i = 0; i < 16; i++) client.send(CHUNK)
  const { socket } = await served
  await until(() => socket.isPaused, 'the pause')
  const messages: unknown[] = []

  socket.on('message', data => { messages.push(data) })
  socket.pause()
  await received(messages, 1)
  await new Promise(setImmediate)
  t.ok(socket.isPaused)

  socket.resume()
  await received(messages, 16)
})

t.test('bounds what waits in every binaryType', async t => {
  for (const binaryType of ['nodebuffer', 'arraybuffer', 'fragments', 'blob'] as const) {
    const { running, served, ready } = await startWaiting(t, socket => { Object.assign(socket, { binaryType }) })
    const { socket: client } = await running.connect()
    for (let i = 0; i < 8; i++) client.send(CHUNK)

    const { socket } = await served
    await until(() => socket.isPaused, 'the pause')
    t.pass(binaryType)
    ready.resolve()
  }
})

t.test('bounds how many empty messages wait, and loses none', async t => {
  const count = 100_000
  const { running, served } = await startWaiting(t)
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  client.write(Buffer.alloc(count * 6, frame('text')))

  const { socket, request } = await served
  await until(() => socket.isPaused, 'the pause')
  t.ok(request.raw.socket.bytesRead < count * 6, 'the server has not read it all')

  const messages: unknown[] = []
  socket.on('message', data => { messages.push(data) })
  await received(messages, count)
  t.equal(messages.length, count)
})

t.test('reads on when the handler settles without a listener', async t => {
  const { running, served, ready } = await startWaiting(t)
  const { socket: client } = await running.connect()
  for (let i = 0; i < CHUNKS; i++) client.send(CHUNK)
  const { socket } = await served
  await until(() => socket.isPaused, 'the pause')

  ready.resolve()
  await flushed(client)

  t.equal(client.bufferedAmount, 0)
})

t.test('frees the socket of a client that was held back and left, while the handler never settles', async t => {
  for (const way of ['fin', 'reset'] as const) {
    const { running, served } = await startWaiting(t)
    const client = await running.raw()
    await client.upgrade('/').readResponse()
    const flood = frame('binary', CHUNK)
    for (let i = 0; i < 16; i++) client.write(flood)
    const { socket } = await served
    await until(() => socket.isPaused, 'the pause')

    if (way === 'reset') client.reset()
    else client.destroy()

    await assertServerHoldsNothing(t, running.server)
    await until(() => socket.readyState === socket.CLOSED, `the close after ${way}`)
    await within(running.app.close(), 'app.close()')
  }
})

t.test('reads on when the server closes a socket whose client is held back', async t => {
  const { running, served } = await startWaiting(t)
  const { socket: client, inbox } = await running.connect()
  for (let i = 0; i < CHUNKS; i++) client.send(CHUNK)
  const { socket } = await served
  await until(() => socket.isPaused, 'the pause')

  socket.close(4002)

  t.equal((await within(inbox.closed, 'the close at the client')).code, 4002)
  const [code] = socket.readyState === socket.CLOSED ? [4002] : await within(once(socket, 'close'), 'the close at the server')
  t.equal(code, 4002)
  const messages: unknown[] = []
  socket.on('message', data => { messages.push(data) })
  await received(messages, 1)
  await new Promise(setImmediate)
  t.ok(messages.length < CHUNKS / 2, 'what was over the bound is dropped')
})

t.test('gives what waited to listeners that come after the client left, one by one or all', async t => {
  const { running, served } = await startWaiting(t)
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  for (let i = 0; i < 16; i++) client.write(frame('binary', Buffer.alloc(CHUNK.length, i)))
  const { socket } = await served
  await until(() => socket.isPaused, 'the pause')
  client.destroy()
  await within(once(socket, 'close'), 'the close')

  const [first] = await within(once(socket, 'message'), 'the first message')
  t.equal(first.readUInt8(), 0)
  const messages: Buffer[] = []
  socket.on('message', (data: Buffer) => { messages.push(data) })
  await received(messages, 3)
  t.equal(messages[0]?.readUInt8(), 1)
})

t.test('reads on where a handler that only pushes never listens, and lets its client leave', async t => {
  let pushed = 0
  const { running, served } = await startWaiting(t, socket => {
    const timer = setInterval(() => {
      pushed++
      socket.send('news')
    }, 5)
    socket.once('close', () => { clearInterval(timer) })
  }, 200)
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  client.write(Buffer.concat(Array.from({ length: 6000 }, () => frame('text', '20 bytes of a client'))))
  const { socket } = await served
  await until(() => socket.isPaused, 'the pause')
  await until(() => !socket.isPaused, 'the end of the hold')
  client.write(frame('ping', 'still there?'))
  const closed = once(socket, 'close')
  client.write(closeFrame(4001)).fin()

  t.equal((await within(closed, 'the close'))[0], 4001)
  t.ok(pushed > 0)
  t.match(await running.logged('dropped messages for which the handler has not listened in time'), { level: 20, limit: 200 })
  await assertServerHoldsNothing(t, running.server)
})

t.test('keeps what comes after it has given up once somebody has listened again', async t => {
  const { running, served } = await startWaiting(t, () => {}, 20)
  const { socket: client } = await running.connect()
  client.send('dropped')
  const { count } = await running.logged('dropped messages for which the handler has not listened in time')
  t.equal(count, 1)
  client.send('dropped too, at once')
  await flushed(client)
  const { socket } = await served
  const first = once(socket, 'message')
  client.send('one')
  client.send('two')
  t.equal(String((await within(first, 'the first'))[0]), 'one')

  t.equal(String((await within(once(socket, 'message'), 'the second'))[0]), 'two')
})

t.test('does not give up while somebody listens, or where nothing waits', async t => {
  const messages: string[] = []
  const { running, served } = await startWaiting(t, () => {}, 20)
  const { socket: client } = await running.connect()
  const { socket } = await served
  socket.on('message', data => { messages.push(String(data)) })
  client.send('one')
  await received(messages, 1)
  await sleep(60)
  client.send('two')
  await received(messages, 2)

  t.same(running.log.filter(({ msg }) => msg.startsWith('dropped')), [])
})

t.test('leaves a socket paused that the application paused before the first listener, with more than may wait', async t => {
  const { running, served } = await startWaiting(t)
  const { socket: client } = await running.connect()
  for (let i = 0; i < 16; i++) client.send(CHUNK)
  const { socket } = await served
  await until(() => socket.isPaused, 'the pause')
  socket.pause()
  const messages: unknown[] = []
  socket.on('message', data => { messages.push(data) })
  await received(messages, 1)
  await new Promise(setImmediate)
  t.equal(socket.isPaused, true)

  socket.resume()
  await received(messages, 16)
})

t.test('works before the application listens, through injectWS', async t => {
  const { app } = create(t)
  const ready = deferred()
  await app.register(require('../src'))
  app.get('/', { websocket: true }, async socket => {
    await ready.promise
    socket.on('message', data => { socket.send(String(data)) })
  })
  const client = await app.injectWS('/')
  client.send('early')
  await flushed(client)

  const echoed = once(client, 'message')
  ready.resolve()

  t.equal(String((await within(echoed, 'the echo'))[0]), 'early')
})
