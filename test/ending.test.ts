import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { WebSocket } from 'ws'
import { endWith, readTerm } from '../src/ending'
import { start, type Running } from './helpers/app'
import { closeFrame, OPCODES } from './helpers/raw-client'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { within } from './helpers/limit'
import { echo } from './helpers/routes'

checkLeaksAtEnd(t)

const ENDING = { code: 4001, reason: 'why' }

async function startSilent (t: Test): Promise<{ running: Running, connected: Promise<WebSocket> }> {
  const running = await start(t, app => { echo(app) })
  return { running, connected: once(running.app.websocketServer, 'connection').then(([socket]) => socket) }
}

t.test('tells the client why', async t => {
  const { running, connected } = await startSilent(t)
  const { inbox } = await running.connect()
  endWith(await connected, ENDING)
  t.match(await within(inbox.closed, 'the close'), ENDING)
})

t.test('cuts a client that does not answer', async t => {
  const { running, connected } = await startSilent(t)
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  const socket = await connected
  const closed = once(socket, 'close')
  endWith(socket, ENDING)
  t.equal((await client.readFrame()).opcode, OPCODES.close)
  t.equal((await within(closed, 'the cut'))[0], 1006)
  client.destroy()
  await assertServerHoldsNothing(t, running.server)
})

t.test('leaves a socket its code that is being closed', async t => {
  const { running, connected } = await startSilent(t)
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  const socket = await connected
  socket.close(4000, 'before')
  endWith(socket, ENDING)
  t.match(await client.readFrame(), { payload: Buffer.from('\x0f\xa0before', 'latin1') })
  t.equal(socket.listenerCount('close'), 1, 'that of ws')
  const closed = once(socket, 'close')
  client.write(closeFrame(4000)).fin()
  await within(closed, 'the close')
})

t.test('reads milliseconds, and what a client is told beside them', async t => {
  t.same(readTerm('x', undefined, ENDING), undefined)
  t.same(readTerm('x', null, ENDING), undefined)
  t.same(readTerm('x', false, ENDING), undefined)
  t.same(readTerm('x', 100, ENDING), { timeout: 100, ...ENDING })
  t.same(readTerm('x', {}, ENDING), { timeout: undefined, ...ENDING })
  t.same(readTerm('x', { timeout: 5, code: 4002, reason: '' }, ENDING), { timeout: 5, code: 4002, reason: '' })
})

t.test('names what is wrong', async t => {
  const bad: Array<[unknown, RegExp]> = [
    [0, /the option x must be a number of milliseconds above 0/],
    [true, /the option x must be a number of milliseconds, or an object, or false; it is true/],
    ['1s', /the option x must be a number of milliseconds, or an object/],
    [{ timeout: 'soon' }, /the option x\.timeout must be a number of milliseconds/],
    [{ timeout: 1, code: 1006 }, /the option x\.code must be a close code/],
    [{ timeout: 1, reason: 'x'.repeat(124) }, /the option x\.reason must be a string of at most 123 bytes/],
    [{ timout: 1 }, /the option x\.timout is not known; there are timeout, code, reason/]
  ]
  for (const [value, message] of bad) t.throws(() => readTerm('x', value, ENDING), { code: 'FST_WS_INVALID_OPTION', message })
})
