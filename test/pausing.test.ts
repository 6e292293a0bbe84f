import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { WebSocket } from 'ws'
import { pauseFor, resumeFor } from '../src/pausing'
import { start, type Client } from './helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { OPCODES } from './helpers/raw-client'
import { flushed } from './helpers/ways'

checkLeaksAtEnd(t)

interface Pair extends Client {
  /** The server's end. */
  served: WebSocket;
  messages: string[];
  assertHeld: () => void;
}

async function connect (t: Test): Promise<Pair> {
  const messages: string[] = []
  let served: WebSocket | undefined
  const running = await start(t, app => {
    app.get('/', { websocket: true }, socket => {
      served = socket
      socket.on('message', data => { messages.push(String(data)) })
    })
  })
  const client = await running.connect()
  await until(() => served !== undefined, 'the handler')
  const end = served as unknown as WebSocket
  return { ...client, served: end, messages, assertHeld: () => { t.equal(end.isPaused, true) } }
}

t.test('reads on when the last reason is gone', async t => {
  const { socket, served, messages, assertHeld } = await connect(t)
  pauseFor(served, 'a')
  pauseFor(served, 'b')
  pauseFor(served, 'b')
  socket.send('held')
  resumeFor(served, 'a')
  assertHeld()
  resumeFor(served, 'never asked for')
  assertHeld()
  resumeFor(served, 'b')
  await until(() => messages.length === 1, 'the message')

  t.equal(served.isPaused, false)
  resumeFor(served, 'b')
  await flushed(socket)
})

t.test('does not undo what the application paused before, and leaves it to the application to read on', async t => {
  const { socket, served, messages, assertHeld } = await connect(t)
  served.pause()
  pauseFor(served, 'ours')
  resumeFor(served, 'ours')
  assertHeld()
  socket.send('held')
  served.resume()
  await until(() => messages.length === 1, 'the message')
})

t.test('stays paused where the application paused meanwhile, and where it resumes while we hold', async t => {
  const { served, assertHeld } = await connect(t)
  pauseFor(served, 'ours')
  served.pause()
  resumeFor(served, 'ours')
  assertHeld()
  served.resume()
  t.equal(served.isPaused, false)

  served.pause()
  pauseFor(served, 'ours')
  served.resume()
  assertHeld()
  resumeFor(served, 'ours')
  t.equal(served.isPaused, false)
})

t.test('leaves the methods of the socket as they were, and nothing to be seen', async t => {
  const { served } = await connect(t)
  const { pause, resume } = served
  const keys = Object.keys(served)
  pauseFor(served, 'ours')
  t.not(served.pause, pause)
  t.same(Object.keys(served), keys)
  resumeFor(served, 'ours')

  t.equal(served.pause, pause)
  t.equal(served.resume, resume)
  t.equal(served.listenerCount('close'), 1, 'that of ws')
})

t.test('writes to a client that is held back, which finds out whether it is there', async t => {
  const running = await start(t, app => {
    app.get('/', { websocket: true }, socket => { pauseFor(socket, 'ours') })
  })
  const client = await running.raw()
  await client.upgrade('/').readResponse()

  t.equal((await client.readFrame()).opcode, OPCODES.pong)
})

t.test('sees a client leave that is held back', async t => {
  const running = await start(t, app => {
    app.get('/', { websocket: true }, socket => {
      socket.on('error', () => {})
      pauseFor(socket, 'ours')
    })
  })
  const connected = once(running.app.websocketServer, 'connection')
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  const [served] = await within(connected, 'the connection')
  client.destroy()
  await until(() => served.readyState === served.CLOSED, 'the close')

  await assertServerHoldsNothing(t, running.server)
})

t.test('reads on once the socket is being closed, and does not hold one that is', async t => {
  const { served, inbox } = await connect(t)
  pauseFor(served, 'ours')
  const closed = once(served, 'close')
  served.close(4000, 'bye')
  pauseFor(served, 'late')

  t.equal((await within(inbox.closed, 'the close at the client')).code, 4000)
  t.equal((await within(closed, 'the close'))[0], 4000)
  pauseFor(served, 'too late')
  t.equal(served.readyState, served.CLOSED)
})
