import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { WebSocket } from 'ws'
import { start, type Running } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectBy, transportOf, WAYS, type Way } from '../helpers/ways'

checkLeaksAtEnd(t)

const MIB = 1024 * 1024

interface Pair {
  running: Running;
  client: WebSocket;
  served: WebSocket;
  closed: Promise<unknown[]>;
}

/** A client that reads nothing, until it is resumed. */
async function stall (t: Test, way: Way, slowConsumer: object | true): Promise<Pair> {
  const running = await start(t, { over: transportOf(way), websocket: { slowConsumer } }, app => {
    app.get('/', { websocket: true }, () => {})
  })
  const connected = once(running.app.websocketServer, 'connection')
  const { socket } = await connectBy(t, way, running)
  const [served] = await within(connected, 'the connection')
  await new Promise(resolve => { setImmediate(resolve) })
  socket.pause()
  return { running, client: socket, served, closed: new Promise(resolve => { served.once('close', (...args: unknown[]) => { resolve(args) }) }) }
}

function flood (socket: WebSocket, mebibytes: number): void {
  for (let i = 0; i < mebibytes && socket.readyState === socket.OPEN; i++) socket.send(Buffer.alloc(MIB))
}

for (const way of WAYS) {
  t.test(`closes and cuts a reader that has stalled for longer than the grace, over ${way}`, async t => {
    const { served, closed, running } = await stall(t, way, { grace: 100 })
    flood(served, 12)
    t.equal(served.readyState, served.OPEN)
    await until(() => served.readyState === served.CLOSING, 'the close')
    t.equal((await within(closed, 'the cut'))[0], 1006)
    await running.close()
  })

  t.test(`tells a slow reader why, over ${way}`, async t => {
    const { client, served, closed } = await stall(t, way, { maxBufferedAmount: MIB, grace: 50 })
    const told = once(client, 'close')
    flood(served, 12)
    await until(() => served.readyState === served.CLOSING, 'the close')
    client.resume()
    const [code, reason] = await within(told, 'the close')
    t.same([code, String(reason)], [1013, 'slow consumer'])
    await closed
  })
}

t.test('is off for a route that says so', async t => {
  const running = await start(t, { websocket: { slowConsumer: { maxBufferedAmount: 10, hardLimit: 10, action: 'terminate' } } }, app => {
    app.get('/', { websocket: { slowConsumer: false } }, socket => { flood(socket, 4) })
    app.get('/on', { websocket: true }, socket => { flood(socket, 4) })
  })
  const { inbox } = await running.connect()
  for (let i = 0; i < 4; i++) await inbox.next()
  t.equal((await within((await running.connect('/on')).inbox.closed, 'the cut')).code, 1006)
})

t.test('refuses what makes no sense', async t => {
  for (const slowConsumer of [{ grace: 0 }, { hardLimit: 1 }, 5]) {
    await t.rejects(start(t, { websocket: { slowConsumer } as object }, () => {}), { code: 'FST_WS_INVALID_OPTION' })
  }
})
