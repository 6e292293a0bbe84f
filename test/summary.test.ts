import t, { type Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { onEnd } from '../src/summary'
import type { ConnectionSummary, WebsocketHandler } from '../types'
import { start, type Running } from './helpers/app'
import { deferred } from './helpers/deferred'
import { checkLeaksAtEnd } from './helpers/leaks'
import { within } from './helpers/limit'
import { closeFrame, frame } from './helpers/raw-client'
import { connectBy, flushed, transportOf, WAYS, type Way } from './helpers/ways'

checkLeaksAtEnd(t)

interface Told {
  running: Running
  ended: Promise<ConnectionSummary>
}

/** One connection is summarized. */
async function serve (t: Test, handler: WebsocketHandler, way: Way = 'tcp', options = {}): Promise<Told> {
  const ended = deferred<ConnectionSummary>()
  const running = await start(t, { over: transportOf(way), websocket: { options } }, app => {
    app.get('/rooms/:room', { websocket: true }, function (socket, request) {
      onEnd({ socket, request }, ended.resolve)
      return handler.call(this, socket, request)
    })
  })
  return { running, ended: within(ended.promise, 'the summary') }
}

for (const way of WAYS) {
  t.test(`tells of a connection when it ends (${way})`, async t => {
    const { running, ended } = await serve(t, socket => {
      socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
    }, way)
    const { socket, inbox } = await connectBy(t, way, running, '/rooms/7?from=here')
    socket.send('grün')
    socket.send(Buffer.alloc(10))
    await inbox.next()
    await inbox.next()
    socket.close(4000, 'adieu')

    const { duration, ...summary } = await ended
    t.same(summary, { url: '/rooms/:room', code: 4000, reason: 'adieu', messagesReceived: 2, messagesSent: 2, bytesReceived: 15, bytesSent: 15 })
    t.ok(duration > 0)
  })
}

t.test('tells how long a connection was open', async t => {
  const { running, ended } = await serve(t, () => {})
  const begin = performance.now()
  const { socket } = await running.connect('/rooms/1')
  const opened = performance.now()
  await sleep(50)
  const left = performance.now()
  socket.close()

  const { duration } = await ended
  t.ok(duration >= left - opened, 'all of the time that we know it was open')
  t.ok(duration <= performance.now() - begin, 'no more than there was')
})

t.test('tells of a connection that broke off', async t => {
  const { running, ended } = await serve(t, () => {})
  const { socket } = await running.connect('/rooms/1')
  socket.terminate()

  t.match(await ended, { code: 1006, reason: '' })
})

const kinds: Array<[name: string, data: unknown, bytes: number]> = [
  ['text', 'grün', 5],
  ['the empty text', '', 0],
  ['a number', 42, 2],
  ['nothing', undefined, 0],
  ['a Buffer', Buffer.alloc(3), 3],
  ['an ArrayBuffer', new ArrayBuffer(4), 4],
  ['a view', new Float64Array(2), 16],
  ['bytes', [1, 2, 3], 3],
  ['a Blob', new Blob(['grün']), 5]
]

t.test('counts the bytes of all that ws can send', async t => {
  for (const [name, data, bytes] of kinds) {
    const { running, ended } = await serve(t, socket => {
      socket.send(data as string)
      socket.close()
    })
    const { inbox } = await running.connect('/rooms/1')

    t.equal((await inbox.next()).data.length, bytes, name)
    t.match(await ended, { messagesSent: 1, bytesSent: bytes, messagesReceived: 0 }, name)
  }
})

t.test('counts the bytes of messages as the application gets them', async t => {
  for (const binaryType of ['nodebuffer', 'arraybuffer', 'fragments', 'blob'] as const) {
    const { running, ended } = await serve(t, socket => { socket.binaryType = binaryType as 'nodebuffer' })
    const client = await running.raw()
    await client.upgrade('/rooms/1').readResponse()
    client.write(frame('binary', Buffer.alloc(1000), { fin: false }))
    client.write(frame('continuation', Buffer.alloc(500)))
    client.write(frame('text', 'grün'))
    client.write(closeFrame(1000)).fin()

    t.match(await ended, { code: 1000, messagesReceived: 2, bytesReceived: 1505 }, binaryType)
  }
})

t.test('counts before compression, and fragments of the application as one message', async t => {
  const { running, ended } = await serve(t, socket => {
    socket.send('x'.repeat(5000), { fin: false })
    socket.send('x'.repeat(5000), { fin: true }, () => {})
    socket.send('', () => {})
    socket.on('message', () => { socket.close() })
  }, 'tcp', { perMessageDeflate: { threshold: 0 } })
  const { socket, inbox } = await running.connect('/rooms/1', { perMessageDeflate: true })
  t.equal((await inbox.next()).data.length, 10_000)
  socket.send('y'.repeat(2000))

  t.match(await ended, { messagesSent: 2, bytesSent: 10_000, messagesReceived: 1, bytesReceived: 2000 })
})

t.test('does not count what was not sent', async t => {
  const { running, ended } = await serve(t, socket => {
    t.throws(() => { socket.send((() => {}) as never) })
    socket.close()
    socket.send('too late')
  })
  await running.connect('/rooms/1')

  t.match(await ended, { messagesSent: 0, bytesSent: 0 })
})

t.test('tells everybody who asked, and counts once', async t => {
  const { running, ended } = await serve(t, (socket, request) => {
    onEnd({ socket, request }, second.resolve)
    socket.send('hello')
  })
  const second = deferred<ConnectionSummary>()
  const { socket, inbox } = await running.connect('/rooms/1')
  await inbox.next()
  socket.send('hello')
  await flushed(socket)
  socket.close()

  const expected = { messagesSent: 1, bytesSent: 5, messagesReceived: 1, bytesReceived: 5 }
  t.match(await ended, expected)
  t.match(await within(second.promise, 'the second summary'), expected)
})

t.test('counts messages that waited for an async handler', async t => {
  const released = deferred()
  const { running, ended } = await serve(t, async socket => {
    await released.promise
    socket.on('message', () => { socket.close() })
  })
  const { socket } = await running.connect('/rooms/1')
  socket.send('early')
  await flushed(socket)
  released.resolve()

  t.match(await ended, { messagesReceived: 1, bytesReceived: 5 })
})

t.test('a socket shows no more than without', async t => {
  const keys: string[][] = []
  const { running } = await serve(t, (socket: WebSocket) => { keys.push(Object.keys(socket)) })
  running.app.websocketServer.on('connection', socket => { keys.push(Object.keys(socket)) })
  await running.connect('/rooms/1')

  t.equal(keys.length, 2)
  t.same(keys[0], keys[1])
})
