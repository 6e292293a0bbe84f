import t from 'tap'
import { once } from 'node:events'
import { createServer, type ServerHttp2Session } from 'node:http2'
import type { FastifyInstance } from 'fastify'
import type { Terms } from '../../src/upgrade'
import { carryWebsocket } from '../../src/ways/http2-session'
import { start } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { closeFrame, frame } from '../helpers/frames'
import { answerTo, closed, connectStream, framesOf, openSession, responseTo } from '../helpers/http2-clients'
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

function declare (app: FastifyInstance): void {
  app.get('/', { websocket: true }, () => {})
}

function timeoutOf (session: ServerHttp2Session): unknown {
  return Reflect.get(session, 'timeout')
}
