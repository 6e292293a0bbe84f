import t, { type Test } from 'tap'
import { once } from 'node:events'
import { constants, deflateRawSync } from 'node:zlib'
import type { WebSocket } from 'ws'
import { start, type Client, type Running } from '../helpers/app'
import { closeFrame, frame, OPCODES } from '../helpers/raw-client'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectBy, transportOf, WAYS, type Way } from '../helpers/ways'

checkLeaksAtEnd(t)

interface Served {
  running: Running;
  heard: string[];
  sockets: WebSocket[];
  /** When each was heard. */
  times: number[];
}

async function serve (t: Test, way: Way, messageRate: object, rest: object = {}): Promise<Served> {
  const heard: string[] = []
  const times: number[] = []
  const sockets: WebSocket[] = []
  const running = await start(t, { over: transportOf(way), websocket: { messageRate, ...rest } as object }, app => {
    app.get('/', { websocket: true }, socket => {
      sockets.push(socket)
      socket.on('message', data => {
        heard.push(String(data))
        times.push(performance.now())
      })
    })
  })
  return { running, heard, sockets, times }
}

function say ({ socket }: Client, count: number): void {
  for (let i = 0; i < count; i++) socket.send(String(i))
}

function numbers (count: number): string[] {
  return [...Array(count).keys()].map(String)
}

for (const way of WAYS) {
  t.test(`closes the connection of a client that says too much, and delivers no more than it may, over ${way}`, async t => {
    const { running, heard } = await serve(t, way, { max: 5, timeWindow: 60_000 })
    const client = await connectBy(t, way, running)
    say(client, 20)
    t.match(await within(client.inbox.closed, 'the close'), { code: 1008, reason: 'message rate' })
    t.same(heard, numbers(5))
  })

  t.test(`counts bytes, over ${way}`, async t => {
    const { running, heard } = await serve(t, way, { maxBytes: 1000, timeWindow: 60_000 })
    const client = await connectBy(t, way, running)
    for (let i = 0; i < 4; i++) client.socket.send('x'.repeat(333))
    t.equal((await within(client.inbox.closed, 'the close')).code, 1008)
    t.equal(heard.length, 3)
  })

  t.test(`holds a client back that says too much, and loses nothing, over ${way}`, async t => {
    const { running, heard, times, sockets } = await serve(t, way, { max: 5, timeWindow: 60, action: 'pause' })
    const client = await connectBy(t, way, running)
    say(client, 22)
    await until(() => sockets[0]?.isPaused === true, 'the pause')
    await until(() => heard.length === 22, 'all messages')
    t.same(heard, numbers(22))
    for (let i = 5; i < 22; i += 5) t.ok(Number(times[i]) - Number(times[i - 5]) >= 55, 'a window later')
    await until(() => sockets[0]?.isPaused === false, 'reading on')

    client.socket.send('last')
    await until(() => heard.length === 23, 'one more')
  })
}

t.test('lets a client go on in the next window', async t => {
  const { running, heard, times } = await serve(t, 'tcp', { max: 2, timeWindow: 40 })
  const client = await running.connect()
  say(client, 2)
  await until(() => heard.length === 2 && performance.now() > Number(times[0]) + 45, 'the end of the window')
  say(client, 2)
  await until(() => heard.length === 4, 'two more')
  t.equal(client.socket.readyState, 1)
})

t.test('cuts a flood that does not listen', async t => {
  const { running, heard, sockets } = await serve(t, 'tcp', { max: 10, timeWindow: 60_000 })
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  const closed = once(sockets[0] as WebSocket, 'close')
  const burst = Buffer.concat(Array.from({ length: 5000 }, () => frame('text', 'x')))
  const flooding = setInterval(() => { client.write(burst) }, 5)
  t.equal((await client.readFrame()).opcode, OPCODES.close)
  t.equal((await within(closed, 'the cut'))[0], 1006)
  clearInterval(flooding)
  t.equal(heard.length, 10)
  client.destroy()
  await assertServerHoldsNothing(t, running.server)
})

t.test('holds a flood back by TCP', async t => {
  const { running, heard } = await serve(t, 'tcp', { max: 10, timeWindow: 20, action: 'pause' })
  const client = await running.connect()
  for (let i = 0; i < 96; i++) client.socket.send(Buffer.alloc(256 * 1024))
  await until(() => heard.length >= 10, 'a window')
  t.ok(client.socket.bufferedAmount > 0, 'the client waits')
  await until(() => heard.length >= 20, 'two windows')
  client.socket.terminate()
  await until(() => running.app.websocketServer.clients.size === 0, 'the end', 10_000)
})

t.test('a message larger than a window has one of its own where it waits', async t => {
  const { running, heard } = await serve(t, 'tcp', { maxBytes: 100, timeWindow: 30, action: 'pause' })
  const client = await running.connect()
  for (const size of [60, 300, 60, 30]) client.socket.send('x'.repeat(size))
  await until(() => heard.length === 1, 'the first')
  await until(() => heard.length === 4, 'all messages')
  t.same(heard.map(({ length }) => length), [60, 300, 60, 30])
})

t.test('a client that leaves is heard to its end, and then its close', async t => {
  const { running, heard, sockets } = await serve(t, 'tcp', { max: 1, timeWindow: 60_000, action: 'pause' })
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  const [served] = sockets
  let heardBeforeClose = 0
  served?.on('close', () => { heardBeforeClose = heard.length })
  const closed = once(served as WebSocket, 'close')
  client.write(Buffer.concat([...numbers(4).map(text => frame('text', text)), closeFrame(4000)])).fin()
  t.equal((await within(closed, 'the close'))[0], 4000)
  t.same(heard, numbers(4))
  t.equal(heardBeforeClose, 4)
})

t.test('what a listener throws takes nothing from the messages behind', async t => {
  const heard: string[] = []
  const running = await start(t, { websocket: { messageRate: { max: 2, timeWindow: 20, action: 'pause' } } }, app => {
    app.get('/', { websocket: true }, socket => {
      socket.on('message', data => {
        heard.push(String(data))
        if (heard.length === 3) throw new Error('mine')
      })
    })
  })
  const thrown = once(process, 'uncaughtException')
  const client = await running.connect()
  say(client, 5)
  t.match((await within(thrown, 'the throw'))[0], { message: 'mine' })
  await until(() => heard.length === 5, 'all messages')
})

t.test('has an end in bytes, for a client that sends much in little', async t => {
  const { running, heard } = await serve(t, 'tcp', { max: 1, timeWindow: 60_000, action: 'pause' }, { options: { perMessageDeflate: true } })
  const client = await running.raw()
  await client.upgrade('/', { 'sec-websocket-extensions': 'permessage-deflate; client_no_context_takeover' }).readResponse()
  const mebibyte = deflateRawSync(Buffer.alloc(1024 * 1024), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
  client.write(Buffer.concat(Array.from({ length: 32 }, () => frame('binary', mebibyte, { rsv: 4 }))))
  let answer = await client.readFrame()
  while (answer.opcode === OPCODES.pong) answer = await client.readFrame()
  t.equal(answer.opcode, OPCODES.close)
  t.equal(answer.payload.readUInt16BE(), 1008)
  t.equal(heard.length, 1)
  client.destroy()
})

t.test('leaves a message that is too large to maxPayload', async t => {
  const { running, heard } = await serve(t, 'tcp', { max: 1, maxBytes: 1000, timeWindow: 60_000 }, { options: { maxPayload: 500 }, errorHandler: () => {} })
  const client = await running.connect()
  client.socket.send('x'.repeat(501))
  t.equal((await within(client.inbox.closed, 'the close')).code, 1009)
  const other = await running.connect()
  other.socket.send('x'.repeat(500))
  other.socket.send('x')
  t.equal((await within(other.inbox.closed, 'the close')).code, 1008)
  t.equal(heard.length, 1)
})

t.test('counts messages when they come, not when a handler that gets ready takes them', async t => {
  const heard: string[] = []
  const ready: Array<() => void> = []
  const running = await start(t, { websocket: { messageRate: { max: 4, timeWindow: 30 } } }, app => {
    app.get('/', { websocket: true }, async socket => {
      await new Promise<void>(resolve => { ready.push(resolve) })
      socket.on('message', data => { heard.push(String(data)) })
    })
  })
  const client = await running.connect()
  for (let i = 0; i < 8; i++) {
    client.socket.send(String(i))
    await new Promise(resolve => { setTimeout(resolve, 12) })
  }
  ready[0]?.()
  await until(() => heard.length === 8, 'all messages')
  t.equal(client.socket.readyState, 1)
})

t.test('a client that is held back is not taken for dead', async t => {
  const { running, heard, sockets } = await serve(t, 'tcp', { max: 1, timeWindow: 300, action: 'pause' }, { heartbeat: { interval: 40, timeout: 40 } })
  const client = await running.connect()
  say(client, 3)
  await until(() => heard.length === 3, 'three windows')
  await within(once(client.socket, 'ping'), 'a ping')
  t.equal(sockets[0]?.readyState, 1)
})

t.test('refuses what is no rate', async t => {
  const bad: Array<[unknown, RegExp]> = [
    [true, /messageRate needs max or maxBytes/],
    [{ timeWindow: 1000 }, /messageRate needs max or maxBytes/],
    [{ max: 10 }, /messageRate\.timeWindow is needed/],
    [{ max: 10, timeWindow: '1 minute' }, /messageRate\.timeWindow must be a number of milliseconds/],
    [{ max: 0, timeWindow: 1 }, /messageRate\.max must be a whole number above 0/],
    [{ maxBytes: 1.5, timeWindow: 1 }, /messageRate\.maxBytes must be a whole number above 0/],
    [{ max: 1, timeWindow: 1, action: 'drop' }, /messageRate\.action must be 'close' or 'pause'/],
    [{ max: 1, timeWindow: 1, ban: 1 }, /messageRate\.ban is not known/]
  ]
  for (const [messageRate, message] of bad) {
    await t.rejects(start(t, { websocket: { messageRate } as object }, () => {}), { code: 'FST_WS_INVALID_OPTION', message })
  }
  await start(t, { websocket: { messageRate: false } }, () => {})
})
