import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { WebSocket } from 'ws'
import { limitBacklog, mindBacklog, readBacklogSettings } from '../src/backlog'
import { now } from '../src/clock'
import { sweepOf } from '../src/sweep'
import { start, type Running } from './helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { connectBy, transportOf, WAYS, type Way } from './helpers/ways'

checkLeaksAtEnd(t)

const MIB = 1024 * 1024

interface Pair {
  running: Running;
  client: WebSocket;
  served: WebSocket;
  closed: Promise<unknown[]>;
}

/** A client that reads nothing, until it is resumed. */
async function stall (t: Test, way: Way, slowConsumer: object | true, onError?: (error: Error) => void): Promise<Pair> {
  const running = await start(t, { over: transportOf(way), websocket: { slowConsumer, ...onError && { errorHandler: onError } } as object }, app => {
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

  t.test(`leaves a healthy reader alone in whatever bursts, over ${way}`, async t => {
    const grace = 1600
    const { client, served } = await stall(t, way, { grace })
    client.resume()
    let received = 0
    client.on('message', () => { received++ })
    let most = 0
    const begin = now()
    for (let sent = 8; now() < begin + 1.25 * grace; sent += 8) {
      flood(served, 8)
      most = Math.max(most, served.bufferedAmount)
      await until(() => received === sent, 'the burst')
      // The client may have it all before the server knows, and two bursts at once would be more than the hard limit.
      await until(() => served.bufferedAmount === 0, 'an empty buffer')
    }
    t.ok(most > 4 * MIB)
    t.equal(served.readyState, served.OPEN)
  })
}

t.test('bounds at once what a reader that has stalled makes of 64 MB', async t => {
  const { served, closed, running } = await stall(t, 'tcp', true)
  let most = 0
  for (let i = 0; i < 64; i++) {
    if (served.readyState === served.OPEN) most = Math.max(most, served.bufferedAmount)
    served.send(Buffer.alloc(MIB))
  }
  t.equal(served.readyState, served.CLOSING)
  t.ok(most <= 17 * MIB)
  t.equal((await within(closed, 'the cut'))[0], 1006)
  await running.close()
  await assertServerHoldsNothing(t, running.server)
})

t.test('terminates where that is asked for', async t => {
  const { served, closed } = await stall(t, 'tcp', { hardLimit: 4 * MIB, action: 'terminate' })
  flood(served, 8)
  t.equal((await within(closed, 'the cut'))[0], 1006)
})

t.test('calls a function of the application once for each time that a client falls behind', async t => {
  const called: WebSocket[] = []
  const { client, served } = await stall(t, 'tcp', { grace: 40, action (socket: WebSocket) { called.push(socket) } })
  let received = 0
  client.on('message', () => { received++ })
  for (const times of [1, 2]) {
    client.pause()
    flood(served, 10)
    await until(() => called.length === times, 'the call')
    served.send('more')
    client.resume()
    await until(() => received === 11 * times, 'all messages')
    await until(() => served.bufferedAmount === 0, 'an empty buffer')
  }
  t.same(called.map(socket => socket === served), [true, true])
  t.equal(served.readyState, served.OPEN)
})

t.test('a client has caught up where less than the limit waits, though never nothing', async t => {
  let calls = 0
  const limit = 2.5 * MIB
  const { client, served, running } = await stall(t, 'injectWS', { maxBufferedAmount: limit, grace: 40, action () { calls++ } })
  client.on('message', () => { if (served.bufferedAmount < limit) client.pause() })
  for (const times of [1, 2]) {
    flood(served, 3)
    await until(() => calls === times, 'the call')
    client.resume()
    await until(() => served.bufferedAmount < limit, 'less than the limit')
    t.ok(served.bufferedAmount > 0)
    let isLookedAt = false
    sweepOf(running.app.websocketServer).lookAt(() => {
      isLookedAt = true
      return Infinity
    }, now() + 40)
    await until(() => isLookedAt, 'a look')
  }
})

for (const action of [() => { throw new Error('mine') }, async () => { throw new Error('mine') }]) {
  t.test(`gives the errorHandler what ${action.constructor.name} throws`, async t => {
    const errors: string[] = []
    const { served } = await stall(t, 'tcp', { hardLimit: 4 * MIB, action }, error => { errors.push(error.message) })
    flood(served, 8)
    await until(() => errors.length > 0, 'the error')
    t.same(errors, ['mine'])
  })
}

t.test('the first limit of a socket stays, and needs no stream', async t => {
  const actions: string[] = []
  const running = await start(t, app => { app.get('/', { websocket: true }, () => {}) })
  const { websocketServer } = running.app
  const connected = once(websocketServer, 'connection')
  const { socket } = await running.connect()
  const [served] = await within(connected, 'the connection')
  socket.pause()
  for (const name of ['first', 'second']) {
    const settings = readBacklogSettings({ hardLimit: 4 * MIB, action () { actions.push(name) } }, 'slowConsumer')
    if (settings !== undefined) limitBacklog(served, undefined, settings)
  }
  for (let i = 0; i < 8; i++) {
    served.send(Buffer.alloc(MIB))
    mindBacklog(websocketServer, served)
  }
  t.same(actions, ['first'])
})

t.test('refuses what makes no sense', async t => {
  const bad: Array<[unknown, RegExp]> = [
    [{ maxBufferedAmount: '1mb' }, /slowConsumer\.maxBufferedAmount must be a number of bytes/],
    [{ grace: 0 }, /slowConsumer\.grace must be a number of milliseconds above 0/],
    [{ hardLimit: -1 }, /slowConsumer\.hardLimit must be a number of bytes/],
    [{ maxBufferedAmount: 32 * MIB }, /slowConsumer\.hardLimit must not be below slowConsumer\.maxBufferedAmount; it is 16777216/],
    [{ action: 'drop' }, /slowConsumer\.action must be 'close', 'terminate' or a function/],
    [{ limit: 1 }, /slowConsumer\.limit is not known; there are maxBufferedAmount, grace, hardLimit, action/],
    [5, /slowConsumer must be an object, or true or false/]
  ]
  for (const [slowConsumer, message] of bad) {
    await t.rejects(start(t, { websocket: { slowConsumer } as object }, () => {}), { code: 'FST_WS_INVALID_OPTION', message })
  }
})
