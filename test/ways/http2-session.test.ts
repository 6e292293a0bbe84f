import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createServer, type ServerHttp2Session } from 'node:http2'
import type { FastifyInstance } from 'fastify'
import { bytesUnsent } from '../../src/progress'
import websocket from '../../src'
import type { Terms } from '../../src/upgrade'
import { carryWebsocket } from '../../src/ways/http2-session'
import { create, start, type Running } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { closeFrame, frame } from '../helpers/frames'
import { answerTo, closed, connectStream, framesOf, openSession, responseTo } from '../helpers/http2-clients'
import { CONNECT, FRAMES, headersFrame, openRawSession, type RawSession, widestWindows } from '../helpers/http2-frames'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'

checkLeaksAtEnd(t)

const SHORT = 200

t.test('does not end a session for its silence while it has a websocket, and does afterwards', async t => {
  for (const [name, options] of [['http2SessionTimeout', { http2SessionTimeout: SHORT }], ['connectionTimeout', { connectionTimeout: SHORT, http2SessionTimeout: SHORT }]] as const) {
    const running = await start(t, { over: 'h2c', fastify: options as object }, declare)
    const served = once(running.server, 'session')
    const session = await openSession(t, running)
    const [serverSession] = await served
    const before = timeoutOf(serverSession)
    const streams = [connectStream(session), connectStream(session)]
    for (const stream of streams) t.equal((await answerTo(stream))[':status'], 200)
    t.equal(timeoutOf(serverSession), 0, name)
    const ended = within(once(session, 'close'), 'the end of the session')
    for (const stream of streams) {
      t.equal(timeoutOf(serverSession), 0)
      t.equal(session.closed, false)
      stream.close()
      await closed(stream)
    }

    await until(() => timeoutOf(serverSession) === before, 'the limit as it was')
    await t.resolves(ended)
  }
})

t.test('ends a session that carried websockets after the last of them, and finishes its requests', async t => {
  const hook = deferred()
  const running = await start(t, { over: 'h2c', fastify: { forceCloseConnections: false, http2SessionTimeout: 60_000 } as object }, app => {
    declare(app)
    app.get('/slow', async () => {
      app.server.emit('in slow')
      await hook.promise
      return 'slow'
    })
  })
  const idle = await openSession(t, running)
  const carried = connectStream(idle)
  await answerTo(carried)
  carried.close()
  await until(() => running.app.websocketServer.clients.size === 0, 'no websocket')
  const session = await openSession(t, running)
  const stream = connectStream(session)
  await answerTo(stream)
  const next = framesOf(stream)
  const inSlow = once(running.server, 'in slow')
  const slow = responseTo(session.request({ ':path': '/slow' }))
  await within(inSlow, 'the request')
  const events: string[] = []
  idle.once('goaway', () => { events.push('goaway of the idle one') })
  session.once('goaway', () => { events.push('goaway') })
  stream.once('end', () => { events.push('end of the websocket') })
  const closing = running.app.close()

  t.equal((await next()).opcode, 8)
  await until(() => events.length === 1, 'the end of the idle session')
  stream.end(closeFrame(1005))
  await until(() => events.length === 3, 'GOAWAY')
  t.same(events, ['goaway of the idle one', 'end of the websocket', 'goaway'])
  hook.resolve()
  t.equal((await slow).body, 'slow')
  await t.resolves(within(closing, 'app.close()', 2 * LIMIT))
})

t.test('forgets a session that is gone', async t => {
  const running = await start(t, { over: 'h2c' }, declare)
  for (let i = 0; i < 3; i++) {
    const session = await openSession(t, running)
    const streams = [connectStream(session), connectStream(session)]
    for (const stream of streams) await answerTo(stream)
    session.destroy()
    await until(() => running.app.websocketServer.clients.size === 0, 'no websocket')
  }
  await t.resolves(within(running.app.close(), 'app.close()'))
})

t.test('carries nothing on a stream that has gone, and needs no limit of the server', async t => {
  const running = await start(t, { fastify: { serverFactory: (handler: () => void) => createServer(handler) } as object }, declare)
  const served = once(running.server, 'session')
  const session = await openSession(t, running)
  const [serverSession] = await served
  const streamed = once(running.server, 'stream')
  const stream = connectStream(session)
  await answerTo(stream)
  const [serverStream] = await streamed
  stream.close()
  await until(() => serverStream.destroyed, 'the end')
  const terms: Terms = { upgrades: new Set(), handshakeTimeout: 0, carriers: new Set() }
  carryWebsocket(serverStream, terms)

  t.equal(timeoutOf(serverSession), 0)
  t.equal(terms.carriers.size, 0)
})

t.test('cuts one websocket after the other where the client does not answer', async t => {
  const running = await start(t, { over: 'h2c', websocket: { shutdown: { timeout: 50 } } }, declare)
  const session = await openSession(t, running)
  const streams = [connectStream(session), connectStream(session)]
  for (const stream of streams) {
    await answerTo(stream)
    stream.write(frame('text', 'hello'))
  }
  const ends = streams.map(closed)

  await t.resolves(within(running.app.close(), 'app.close()'))
  t.same(await Promise.all(ends), [8, 8])
})

t.test('leaves a client alone that has nothing to take', async t => {
  const hook = deferred()
  const running = await start(t, { over: 'h2c', websocket: { shutdown: { timeout: 50 } }, fastify: { forceCloseConnections: false } }, app => {
    declare(app)
    app.get('/slow', async () => {
      await hook.promise
      return 'slow'
    })
  })
  const session = await openSession(t, running)
  const slow = responseTo(session.request({ ':path': '/slow' }))
  await answerTo(connectStream(session))
  const closing = running.app.close()
  // Longer than the patience.
  await new Promise(resolve => { setTimeout(resolve, 1500) })
  hook.resolve()
  t.equal((await slow).body, 'slow')
  await t.resolves(within(closing, 'app.close()'))
})

for (const over of ['h2c', 'h2'] as const) {
  t.test(`cuts a client that takes nothing any more, which would keep the session and the server (${over})`, async t => {
    const { running, session } = await stall(t, over)
    t.ok(bytesUnsent(session.socket) > 0)
    await t.resolves(within(running.app.close(), 'app.close()'))
    t.equal(session.destroyed, true)
  })

  t.test(`also where somebody has destroyed the session, which waits for it all the same (${over})`, async t => {
    const { running, session } = await stall(t, over)
    const closing = running.app.close()
    await until(() => session.closed, 'the end of the websocket')
    session.destroy()
    await t.resolves(within(closing, 'app.close()'))
  })

  t.test(`but not one that goes on reading, however slowly (${over})`, async t => {
    const { running, client, session } = await stall(t, over)
    const closing = running.app.close()
    // Longer than the patience.
    for (let i = 0; i < 10; i++) {
      await readSome(client)
      await new Promise(resolve => { setTimeout(resolve, 200) })
      t.equal(session.destroyed, false)
    }
    client.socket.resume()
    await t.resolves(within(closing, 'app.close()'))
  })
}

t.test('leaves it to whoever else has a websocket on the session', async t => {
  const other = create(t)
  const { running, session } = await stall(t, 'h2c', async (client, { server }) => {
    await other.app.register(websocket, { options: { server: server as never }, shutdown: { timeout: 50 } })
    other.app.get('/other', { websocket: true }, () => {})
    await other.app.ready()
    client.write(headersFrame(1, CONNECT.map(([name, value]) => [name, name === ':path' ? '/other' : value])))
    await until(() => other.app.websocketServer.clients.size === 1, 'the websocket of the other')
  })
  await within(other.app.close(), 'app.close() of the other')
  // Longer than the patience.
  await new Promise(resolve => { setTimeout(resolve, 1500) })
  t.equal(session.closed, false)
  t.equal(running.app.websocketServer.clients.size, 1)
  await t.resolves(within(running.app.close(), 'app.close()'))
})

/** So much that the system takes more of what waits behind it. */
async function readSome ({ socket }: RawSession): Promise<void> {
  const end = socket.bytesRead + 4 * 1024 * 1024
  socket.resume()
  while (socket.bytesRead < end) await within(once(socket, 'data'), 'more')
  socket.pause()
}

/** A client that reads nothing any more of the much that its websocket is sent. */
async function stall (t: Test, over: 'h2c' | 'h2', prepare = async (_client: RawSession, _running: Running): Promise<void> => {}): Promise<{ running: Running, client: RawSession, session: ServerHttp2Session }> {
  const running = await start(t, { over, websocket: { shutdown: { timeout: 100 } } }, app => {
    app.get('/', { websocket: true }, socket => { for (let i = 0; i < 64; i++) socket.send(Buffer.alloc(1024 * 1024)) })
  })
  const served = once(running.server, 'session')
  const client = await openRawSession(t, { port: running.port, isSecure: over === 'h2' })
  const [session] = await within(served, 'the session')
  await prepare(client, running)
  client.write(widestWindows(), headersFrame(3))
  await client.next(({ type, id }) => type === FRAMES.headers && id === 3)
  client.socket.pause()
  return { running, client, session }
}

function declare (app: FastifyInstance): void {
  app.get('/', { websocket: true }, () => {})
}

function timeoutOf (session: ServerHttp2Session): unknown {
  return Reflect.get(session, 'timeout')
}
