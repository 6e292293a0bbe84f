import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { now } from '../src/clock'
import { type Sweep, sweepOf } from '../src/sweep'
import { start, type Running } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'
import { until } from './helpers/limit'
import { echo } from './helpers/routes'

checkLeaksAtEnd(t)

async function startSweep (t: Test, clients: number): Promise<{ running: Running, sweep: Sweep, sockets: WebSocket[] }> {
  const running = await start(t, app => { echo(app) })
  for (let i = 0; i < clients; i++) await running.connect()
  await until(() => running.app.websocketServer.clients.size === clients, 'the connections')
  return { running, sweep: sweepOf(running.app.websocketServer), sockets: [...running.app.websocketServer.clients] }
}

t.test('looks at every open connection, at its date and not before', async t => {
  const { running, sweep, sockets } = await startSweep(t, 2)
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  const [closing] = [...running.app.websocketServer.clients].slice(2)
  closing?.close()
  const date = now() + 50
  const seen: WebSocket[] = []
  let first = Infinity
  sweep.lookAt((socket, time) => {
    first = Math.min(first, time)
    seen.push(socket)
    return Infinity
  }, date)
  await until(() => seen.length > 0, 'a look')
  t.ok(first >= date)
  t.same(seen.map(socket => sockets.indexOf(socket)), [0, 1], 'and not at one that is closing')
})

t.test('looks again at the earliest date that a look gave', async t => {
  const { sweep } = await startSweep(t, 2)
  const looks: number[] = []
  sweep.lookAt((_socket, time) => {
    looks.push(time)
    return looks.length === 1 ? time + 60_000 : looks.length === 2 ? time + 20 : Infinity
  }, now())
  await until(() => looks.length === 4, 'two looks at two sockets')
  t.equal(looks[0], looks[1])
  t.ok(Number(looks[2]) >= Number(looks[0]) + 20)
})

t.test('an earlier date brings a look forward, a later one does nothing', async t => {
  const { sweep } = await startSweep(t, 1)
  let looks = 0
  const look = (): number => ++looks && Infinity
  sweep.lookAt(look, now() + 60_000)
  sweep.lookAt(look, now() + 120_000)
  sweep.lookAt(look, now())
  await until(() => looks === 1, 'the look')
})

t.test('a look does not wait for the date of another', async t => {
  const { sweep } = await startSweep(t, 1)
  let looks = 0
  let others = 0
  sweep.lookAt(() => ++others && Infinity, now() + 3_000_000_000)
  sweep.lookAt((_socket, time) => ++looks < 3 ? time : Infinity, now())
  await until(() => looks === 3, 'three looks')
  t.equal(others, 0)
})

t.test('there is one for each registration, which ends with it', async t => {
  const { running, sweep } = await startSweep(t, 1)
  t.equal(sweepOf(running.app.websocketServer), sweep)
  const other = await startSweep(t, 1)
  t.not(other.sweep, sweep)
  let looks = 0
  sweep.lookAt(() => ++looks && Infinity, now() + 20)
  other.sweep.lookAt(() => Infinity, now() + 20)
  await running.close()
  const begin = now()
  await until(() => now() > begin + 50, 'the date')
  t.equal(looks, 0)
})
