// What an attacker does to a server over HTTP/2 costs bounded memory, and the clients of other sessions are served meanwhile.
import t, { type Test } from 'tap'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import { type Running, start, type StartOptions } from '../helpers/app'
import { answerTo, closed, connectStream, openSession, responseTo } from '../helpers/http2-clients'
import { CONNECT, FRAMES, headersFrame, http2Frame, openRawSession, resetFrame } from '../helpers/http2-frames'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'

checkLeaksAtEnd(t)

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

const MIB = 1024 * 1024
// Of the heap, for what is compiled and cached on the way.
const BOUND = 8 * MIB
const WHOLE = Buffer.alloc(4 * MIB, 'whole ')

for (const path of ['/echo', '/waits', '/refused', '/large', '/verified']) {
  t.test(`streams of ${path} that are reset as fast as they are opened (CVE-2023-44487)`, async t => {
    const running = await flooded(t, { websocket: { options: { verifyClient } } })
    await attack(running, 1)
    const before = heap()
    await attack(running, 10)
    await assertServerHoldsNothing(t, running.server)
    t.equal(running.app.websocketServer.clients.size, 0)
    t.equal(countsOf(running.app).waiting, 0)
    t.ok(heap() < before + BOUND, 'nothing of them is kept')

    async function attack (running: Running, sessions: number): Promise<void> {
      for (let i = 0; i < sessions; i++) {
        const session = await openRawSession(t, running)
        const fields = CONNECT.map(([name, value]) => [name, name === ':path' ? path : value]) as typeof CONNECT
        const streams = Array.from({ length: 500 }, (_each, index) => 2 * index + 1)
        // In one packet as well as with time for a hook in between.
        for (let from = 0; from < streams.length; from += 50) {
          session.write(...streams.slice(from, from + 50).flatMap(id => [headersFrame(id, fields), resetFrame(id)]))
          if (i % 2 === 0) await new Promise(setImmediate)
        }
        await assertServes(t, running)
        session.socket.destroy()
      }
    }
  })
}

t.test('heads that never end, and streams that never come to one', async t => {
  const running = await flooded(t)
  const before = heap()
  const sessions = await Promise.all(Array.from({ length: 50 }, () => openRawSession(t, running)))
  for (const session of sessions) {
    const head = headersFrame(1)
    // END_HEADERS is missing.
    head.writeUInt8(0, 4)
    session.write(head)
  }
  await assertServes(t, running)
  t.ok(heap() < before + BOUND)
  for (const { socket } of sessions) socket.destroy()
  await assertServerHoldsNothing(t, running.server)
})

t.test('windows that never open: a refusal ends within the handshake limit, a websocket with the slowConsumer option', async t => {
  const running = await flooded(t, { websocket: { handshakeTimeout: 100, slowConsumer: { maxBufferedAmount: MIB, hardLimit: 2 * MIB, action: 'terminate' } } })
  const session = await openRawSession(t, running)
  const ids = Array.from({ length: 40 }, (_each, index) => 2 * index + 1)
  for (const id of ids) {
    const path = id % 4 === 1 ? '/large' : '/floods'
    session.write(headersFrame(id, CONNECT.map(([name, value]) => [name, name === ':path' ? path : value])))
  }
  const left = new Set(ids)
  while (left.size > 0) left.delete((await session.next(({ type }) => type === FRAMES.reset)).id)
  await assertServes(t, running)
  session.write(http2Frame('ping', 0, Buffer.alloc(8)))

  t.equal((await session.next(({ type }) => type === FRAMES.ping)).flags, 1, 'the session lives')
})

t.test('a thousand pending upgrades on one session', async t => {
  const running = await flooded(t)
  const counts = countsOf(running.app)
  const session = await openRawSession(t, running)
  const fields = CONNECT.map(([name, value]) => [name, name === ':path' ? '/waits' : value]) as typeof CONNECT
  session.write(...Array.from({ length: 1000 }, (_each, index) => headersFrame(2 * index + 1, fields)))
  await until(() => counts.waiting === 1000, 'all of them', 2 * LIMIT)
  await assertServes(t, running)
  session.socket.destroy()

  await until(() => counts.waiting === 0, 'their end', 2 * LIMIT)
  await assertServerHoldsNothing(t, running.server)
})

t.test('more pending upgrades on one session than maxPending', async t => {
  const running = await flooded(t, { websocket: { maxPending: 10 } })
  const session = await openSession(t, running)
  const waiting = Array.from({ length: 10 }, () => connectStream(session, '/waits'))
  await until(() => countsOf(running.app).waiting === 10, 'ten that wait')
  const more = await Promise.all(Array.from({ length: 20 }, () => responseTo(connectStream(session, '/waits'))))
  for (const { status } of more) t.equal(status, 503)
  for (const stream of waiting) stream.close(8)
  await until(() => countsOf(running.app).waiting === 0, 'nobody waits')

  t.equal((await answerTo(connectStream(session, '/echo')))[':status'], 200)
})

t.test('a close while all of that goes on', async t => {
  const running = await flooded(t, { websocket: { shutdown: { timeout: 200 }, handshakeTimeout: 200 } })
  const raw = await openRawSession(t, running)
  for (const [index, path] of ['/waits', '/floods', '/large', '/echo'].entries()) {
    raw.write(headersFrame(2 * index + 1, CONNECT.map(([name, value]) => [name, name === ':path' ? path : value])))
  }
  const session = await openSession(t, running)
  const stream = connectStream(session, '/echo')
  await answerTo(stream)
  await until(() => countsOf(running.app).waiting === 1, 'one that waits')
  const closing = running.app.close()
  await closed(stream)
  // Of a session that carries no websocket any more, but a client that is gone for all we know: Node waits for its end.
  raw.socket.destroy()

  await t.resolves(within(closing, 'app.close()', 2 * LIMIT))
})

const counted = new WeakMap<FastifyInstance, { waiting: number }>()

function countsOf (app: FastifyInstance): { waiting: number } {
  return counted.get(app) ?? { waiting: -1 }
}

async function flooded (t: Test, options: StartOptions = {}): Promise<Running> {
  return await start(t, { over: 'h2c', logLevel: 'fatal', ...options }, app => {
    const counts = { waiting: 0 }
    counted.set(app, counts)
    app.get('/echo', { websocket: true }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
    app.get('/floods', { websocket: true }, socket => { for (let i = 0; i < 16; i++) socket.send(Buffer.alloc(MIB)) })
    app.get('/verified', { websocket: true }, () => {})
    app.get('/refused', { websocket: true, onRequest: async (_request, reply) => { await reply.code(401).send('no') } }, () => {})
    app.get('/large', { websocket: true, onRequest: async (_request, reply) => { await reply.code(403).send(WHOLE) } }, () => {})
    app.get('/waits', {
      websocket: true,
      onRequest: async ({ signal }) => {
        counts.waiting++
        if (!signal.aborted) await once(signal, 'abort')
        counts.waiting--
      }
    }, () => {})
  })
}

async function verifyClient ({ req }: { req: { url?: string } }): Promise<boolean> {
  if (req.url === '/verified') await new Promise(setImmediate)
  return true
}

async function assertServes (t: Test, running: Running): Promise<void> {
  const { socket, inbox } = await running.connect('/echo')
  socket.send('hello')
  t.equal(String(await inbox.next()), 'hello')
  socket.close()
  await inbox.closed
}

function heap (): number {
  collect()
  return process.memoryUsage().heapUsed
}
