import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { WebSocket } from 'ws'
import { start, type Client, type Declare, type Running } from '../helpers/app'
import { frame, OPCODES, type RawClient } from '../helpers/raw-client'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

const QUICK = { interval: 60, timeout: 60 }

interface Served extends Running {
  /** The server's ends, in the order in which they opened. */
  sockets: WebSocket[];
}

async function serve (t: Test, options: Parameters<typeof start>[1] = {}, declare: Declare = () => {}): Promise<Served> {
  const sockets: WebSocket[] = []
  const running = await start(t, { websocket: { heartbeat: QUICK }, ...options }, async app => {
    app.get('/', { websocket: true }, socket => { sockets.push(socket) })
    await declare(app)
  })
  return Object.assign(running, { sockets })
}

async function upgraded (running: Running, path = '/'): Promise<RawClient> {
  const client = await running.raw()
  await client.upgrade(path).readResponse()
  return client
}

/** Settles with the number of pings that a client got when it has got so many. */
async function pinged ({ socket }: Client, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await within(once(socket, 'ping'), 'a ping')
}

/** Waits as long as it takes to end so many silent clients, one after the other. */
async function outlive (running: Running, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const client = await upgraded(running)
    await client.readUntilClose()
    client.destroy()
  }
}

for (const way of WAYS) {
  t.test(`asks a silent client again and again, and keeps one that answers, over ${way}`, async t => {
    const running = await serve(t, { over: transportOf(way) })
    const client = await connectBy(t, way, running)
    await pinged(client, 4)
    t.equal(running.sockets[0]?.readyState, client.socket.OPEN)
  })

  t.test(`terminates a client that does not answer, over ${way}`, async t => {
    const running = await serve(t, { over: transportOf(way) })
    const client = await connectBy(t, way, running, '/', { autoPong: false })
    const closed = once(running.sockets[0] as WebSocket, 'close')
    await pinged(client, 1)

    t.equal((await within(client.inbox.closed, 'the end at the client')).code, 1006)
    t.equal((await within(closed, 'the end at the server'))[0], 1006)
  })

  t.test(`takes any frame for a sign of life, over ${way}`, async t => {
    const running = await serve(t, { over: transportOf(way) })
    const client = await connectBy(t, way, running, '/', { autoPong: false })
    const talking = setInterval(() => { client.socket.send('still here') }, 15)
    await outlive(running, 2)
    t.equal(client.socket.readyState, client.socket.OPEN)

    clearInterval(talking)
    t.equal((await within(client.inbox.closed, 'the end')).code, 1006)
  })
}

t.test('does not ask who talks', async t => {
  const running = await serve(t, { websocket: { heartbeat: { interval: 400 } } })
  const client = await running.connect()
  let pings = 0
  client.socket.on('ping', () => { pings++ })
  const talking = setInterval(() => { client.socket.send('here') }, 20)
  await pinged(await running.connect(), 2)
  t.equal(pings, 0)
  clearInterval(talking)
  await pinged(client, 1)
})

t.test('takes a part of a message for a sign of life', async t => {
  const running = await serve(t)
  const client = await upgraded(running)
  const bytes = frame('binary', Buffer.alloc(100_000))
  client.write(bytes.subarray(0, 1000))
  let sent = 1000
  const talking = setInterval(() => { client.write(bytes.subarray(sent, ++sent)) }, 15)
  await outlive(running, 2)
  t.equal(running.sockets[0]?.readyState, 1)
  clearInterval(talking)
  await client.readUntilClose()
  client.destroy()
})

t.test('ends a peer that is dead behind a connection that says nothing', async t => {
  const running = await serve(t)
  const client = await upgraded(running)
  client.pause()
  const closed = once(running.sockets[0] as WebSocket, 'close')
  t.equal((await within(closed, 'the end'))[0], 1006)
  client.destroy()
  await assertServerHoldsNothing(t, running.server)
})

t.test('ends a reader that has stalled behind 64 MB', async t => {
  const running = await serve(t)
  const client = await upgraded(running)
  client.pause()
  const served = running.sockets[0] as WebSocket
  const closed = once(served, 'close')
  for (let i = 0; i < 64; i++) served.send(Buffer.alloc(1024 * 1024))
  t.equal((await within(closed, 'the end'))[0], 1006)
  client.destroy()
})

t.test('takes it for a sign of life that a client reads what waits in front of the ping', async t => {
  const running = await serve(t, { websocket: { heartbeat: { interval: 200, timeout: 200 } } })
  const { socket, inbox } = await running.connect()
  let received = 0
  socket.on('message', () => {
    received++
    socket.pause()
    setTimeout(() => { socket.resume() }, 10)
  })
  for (let i = 0; i < 256; i++) running.sockets[0]?.send(Buffer.alloc(256 * 1024))
  await Promise.race([inbox.closed, outlive(running, 2)])
  t.ok(received < 256, 'it has not come to the ping')
  t.equal(socket.readyState, 1)
})

t.test('leaves a socket alone that is paused on purpose, and gives it its full time again after it', async t => {
  const running = await serve(t)
  const client = await upgraded(running)
  const served = running.sockets[0] as WebSocket
  served.pause()
  await outlive(running, 2)
  t.equal(served.readyState, 1)
  t.equal(client.leftover.length, 0, 'nor does it ask')

  const resumedAt = Date.now()
  const closed = once(served, 'close')
  served.resume()
  await within(closed, 'the end')
  t.ok(Date.now() - resumedAt >= QUICK.interval + QUICK.timeout - 2)
  client.destroy()
})

t.test('lives with messages that are held for a handler that gets ready', async t => {
  let listen = (): void => {}
  const messages: string[] = []
  const running = await serve(t, {}, app => {
    app.get('/late', { websocket: true }, async socket => {
      await new Promise<void>(resolve => { listen = resolve })
      socket.on('message', data => { messages.push(String(data)) })
    })
  })
  const client = await running.connect('/late')
  const flood = Buffer.alloc(256 * 1024)
  for (let i = 0; i < 32; i++) client.socket.send(flood)
  await pinged(await running.connect(), 5)
  t.equal(client.socket.readyState, 1)
  t.equal(messages.length, 0)

  listen()
  await until(() => messages.length === 32, 'all messages')
  await pinged(client, 2)
})

t.test('does not disturb a socket that is closing', async t => {
  const running = await serve(t)
  const client = await upgraded(running)
  const served = running.sockets[0] as WebSocket
  served.close(4000)
  t.equal((await client.readFrame()).opcode, OPCODES.close)
  await pinged(await running.connect(), 4)
  t.equal(served.readyState, served.CLOSING)
  t.equal(client.leftover.length, 0)
  client.destroy()
})

t.test('a route has its own, or none', async t => {
  const running = await serve(t, {}, app => {
    app.get('/off', { websocket: { heartbeat: false } }, () => {})
    app.get('/slow', { websocket: { heartbeat: true } }, () => {})
  })
  const clients = [await running.connect('/off', { autoPong: false }), await running.connect('/slow', { autoPong: false })]
  const pings: string[] = []
  for (const { socket } of clients) socket.on('ping', () => { pings.push('ping') })
  await pinged(await running.connect(), 5)
  t.same(pings, [])
  t.same(clients.map(({ socket }) => socket.readyState), [1, 1])
})

t.test('goes on after all clients have left, and without clientTracking', async t => {
  const running = await serve(t, { websocket: { heartbeat: QUICK, options: { clientTracking: false } } })
  for (let i = 0; i < 2; i++) {
    const client = await running.connect()
    await pinged(client, 2)
    client.socket.terminate()
    await assertServerHoldsNothing(t, running.server)
  }
})

t.test('refuses what is no heartbeat', async t => {
  const bad: Array<[unknown, RegExp]> = [
    [{ interval: '30s' }, /heartbeat\.interval must be a number of milliseconds/],
    [{ interval: 0 }, /heartbeat\.interval must be/],
    [{ interval: 1000, timeout: -1 }, /heartbeat\.timeout must be/],
    [{ timeout: 1000 }, /heartbeat\.timeout needs heartbeat\.interval; it is 1000/],
    [{ period: 1 }, /heartbeat\.period is not known; there are interval, timeout/],
    [30_000, /heartbeat must be an object, or true or false; it is 30000/]
  ]
  for (const [heartbeat, message] of bad) {
    await t.rejects(start(t, { websocket: { heartbeat } as object }, () => {}), { code: 'FST_WS_INVALID_OPTION', message })
  }
  await start(t, { websocket: { heartbeat: null } }, app => {
    t.throws(() => app.get('/', { websocket: { heartbeat: { timeout: 1 } } }, () => {}), { message: /websocket\.heartbeat\.timeout needs/ })
  })
})
