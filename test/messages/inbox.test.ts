import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { Inbox } from '../../src/messages/inbox'
import type { Arrived } from '../../src/messages/inbox'
import { costOf } from '../../src/size'
import { start, type Running } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectPair, type Pair } from '../helpers/pubsub'

checkLeaksAtEnd(t)

const arrived = (text: string): Arrived => ({ data: Buffer.from(text), isBinary: false })
const COST = costOf(Buffer.alloc(10))
const TEN = 'x'.repeat(10)

async function open (t: Test, bounds: object = {}): Promise<Pair & { running: Running, inbox: Inbox, row: Inbox }> {
  const running = await start(t, app => { app.get('/', { websocket: true }, () => {}) })
  const pair = await connectPair(t, running)
  const row = new Inbox(pair.served as WebSocket, { maxBufferedAmount: 4 * COST, grace: 60_000, ...bounds }, running.app.log)
  return { ...pair, running, row } as never
}

t.test('messages are taken in the order in which they came', async t => {
  const { row } = await open(t)
  const [one, two, three] = [arrived('1'), arrived('2'), arrived('3')]
  for (const each of [one, two, three]) row.push(each)
  row.remove(two)
  row.remove(two)
  t.equal(row.shift(), one)
  t.equal(row.shift(), three)
  t.equal(row.shift(), undefined)
})

t.test('past its bytes the socket is paused, until half of them are left', async t => {
  const { row, served } = await open(t)
  for (let i = 0; i < 4; i++) row.push(arrived(TEN))
  t.equal(served.isPaused, false)
  row.push(arrived(TEN))
  t.equal(served.isPaused, true)
  row.shift()
  row.shift()
  t.equal(served.isPaused, true)
  row.shift()
  t.equal(served.isPaused, false)

  for (let i = 0; i < 3; i++) row.push(arrived(TEN))
  t.equal(served.isPaused, true)
  row.drop()
  t.equal(served.isPaused, false)
  t.equal(row.shift(), undefined)
})

t.test('empty messages have an end too', async t => {
  const { row, served } = await open(t, { maxBufferedAmount: 1024 })
  for (let i = 0; i < 5; i++) row.push(arrived(''))
  t.equal(served.isPaused, true)
  row.drop()
})

t.test('what is taken out of the row counts no more', async t => {
  const { row, served } = await open(t, { maxBufferedAmount: COST })
  const [one, two] = [arrived(TEN), arrived(TEN)]
  row.push(one)
  row.push(two)
  t.equal(served.isPaused, true)
  row.remove(one)
  row.remove(two)
  t.equal(served.isPaused, false)
})

t.test('gives back what a message was counted for, whatever a listener has made of it since', async t => {
  const { row, served } = await open(t, { maxBufferedAmount: 4096 })
  const changed = [
    { make: () => new ArrayBuffer(5000), change (data: ArrayBuffer) { structuredClone(data, { transfer: [data] }) } },
    { make: () => [Buffer.alloc(2500), Buffer.alloc(2500)], change (data: Buffer[]) { data.length = 0 } },
    { make: () => [Buffer.alloc(5000)], change (data: Buffer[]) { data.push(Buffer.alloc(5000)) } }
  ]
  for (const { make, change } of changed) {
    for (const take of [() => row.shift(), (arrived: Arrived) => { row.remove(arrived) }]) {
      const data = make()
      const arrived = { data, isBinary: true }
      row.push(arrived)
      t.equal(served.isPaused, true)
      change(data as never)
      take(arrived)
      t.equal(served.isPaused, false)
      // Neither more nor less is counted now than at the beginning.
      row.push({ data: Buffer.alloc(4096 - COST + 10), isBinary: true })
      t.equal(served.isPaused, false)
      row.push({ data: Buffer.alloc(0), isBinary: true })
      t.equal(served.isPaused, true)
      row.shift()
      row.shift()
    }
  }
})

t.test('a row that nobody reads in time ends the connection, and the log tells of it', async t => {
  const { row, served, inbox, running } = await open(t, { maxBufferedAmount: 0, grace: 20 })
  row.push(arrived(TEN))
  t.same(await within((inbox as unknown as { closed: Promise<unknown> }).closed, 'the close'), { code: 1013, reason: 'unread messages' })
  t.match(await running.logged(/has not read in time/), { level: 40, count: 1, grace: 20 })
  await until(() => served.readyState === served.CLOSED, 'the close of the server')
  row.drop()
})

t.test('one that is read in time does not', async t => {
  const { row, served, running } = await open(t, { maxBufferedAmount: 0, grace: 20 })
  row.push(arrived(TEN))
  row.shift()
  row.push(arrived(TEN))
  row.shift()
  // The first limit would be over by now.
  await new Promise(resolve => { setTimeout(resolve, 100) })
  t.equal(served.readyState, served.OPEN)
  t.notOk(running.log.some(({ level }) => level === 40))
})

t.test('a socket that is being closed cannot be paused, and fills no memory', async t => {
  const { row, served } = await open(t, { maxBufferedAmount: COST })
  served.close()
  for (let i = 0; i < 5; i++) row.push(arrived(TEN))
  const taken = []
  for (let each = row.shift(); each !== undefined; each = row.shift()) taken.push(each)
  t.equal(taken.length, 2)
  await once(served, 'close')
})
