import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createServer, type Http2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import websocket from '../../src'
import { create, start } from '../helpers/app'
import { frame } from '../helpers/frames'
import { answerTo, closed, connectStream, framesOf, openSession, responseTo } from '../helpers/http2-clients'
import { CONNECT, FRAMES, headersFrame, openRawSession } from '../helpers/http2-frames'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { echo } from '../helpers/routes'

checkLeaksAtEnd(t)

for (const over of ['h2c', 'h2'] as const) {
  t.test(`opens many websockets on one session, beside its requests, over ${over}`, async t => {
    const running = await start(t, { over }, declare)
    const session = await openSession(t, running)
    t.equal(session.remoteSettings.enableConnectProtocol, true)

    await Promise.all(Array.from({ length: 20 }, async (_each, index) => {
      const stream = connectStream(session, '/echo')
      t.equal((await answerTo(stream))[':status'], 200)
      const next = framesOf(stream)
      stream.write(frame('text', `hello ${index}`))
      t.equal(String((await next()).payload), `hello ${index}`)
    }))
    t.equal((await responseTo(session.request({ ':path': '/plain' }))).body, 'plain')
    t.equal(running.app.websocketServer.clients.size, 20)
  })
}

t.test('announces nothing and takes nothing with http2: false', async t => {
  const running = await start(t, { over: 'h2c', websocket: { http2: false } }, declare)
  const session = await openSession(t, running)

  t.equal(session.remoteSettings.enableConnectProtocol, false)
  t.equal(running.server.listenerCount('connect'), 0)
})

t.test('takes upgrades over HTTP/1.1 from the same server', async t => {
  const running = await start(t, { over: 'http2' }, declare)
  const { socket, inbox } = await running.connect('/echo')
  socket.send('hello')

  t.equal(String(await inbox.next()), 'hello')
})

t.test('declines what asks for no websocket, and the session lives', async t => {
  const running = await start(t, { over: 'h2c' }, declare)
  const session = await openSession(t, running)

  const plain = connectStream(session, '/', { ':protocol': undefined, ':scheme': undefined, ':path': undefined })
  t.equal((await responseTo(plain)).status, 405)
  t.equal((await responseTo(connectStream(session, '/', { ':protocol': 'connect-udp' }))).status, 501)
  t.equal((await responseTo(session.request({ ':path': '/plain' }))).body, 'plain')
})

t.test('cuts a CONNECT of HTTP/1.1, as Node does, unless somebody listens', async t => {
  const running = await start(t, { over: 'http2' }, declare)
  const client = await running.raw()
  client.request('CONNECT', 'a.example:443')
  t.equal((await client.readUntilClose()).length, 0)

  running.server.on('connect', (_request, socket) => { socket.end('theirs') })
  const other = await running.raw()
  other.request('CONNECT', 'a.example:443')
  t.equal(String(await other.readUntilClose()), 'theirs')
})

t.test('leaves to another listener what is no websocket, and what it takes', async t => {
  const running = await start(t, { over: 'h2c', websocket: { handshakeTimeout: 20 } }, declare)
  running.server.on('connect', ({ headers, stream }: Http2ServerRequest, response: Http2ServerResponse) => {
    if (headers[':path'] === '/read') stream.on('data', bytes => { response.end(bytes) })
    if (headers[':path'] === '/cut') stream.close()
    if (headers[':protocol'] === 'websocket') return
    response.statusCode = 418
    response.end()
  })
  const session = await openSession(t, running)

  t.equal((await responseTo(connectStream(session, '/', { ':protocol': 'other' }))).status, 418)
  const read = connectStream(session, '/read')
  read.write('theirs')
  t.equal((await responseTo(read)).body, 'theirs')
  t.equal(await closed(connectStream(session, '/cut')), 0)
  t.equal((await answerTo(connectStream(session, '/echo')))[':status'], 200, 'a route of ours')
  t.equal((await responseTo(connectStream(session, '/nowhere'))).status, 404, 'nobody wanted it')
})

t.test('says no to a late taker', async t => {
  const running = await start(t, { over: 'h2c', websocket: { handshakeTimeout: 20 } }, declare)
  running.server.on('connect', ({ headers }: Http2ServerRequest, response: Http2ServerResponse) => {
    if (headers[':path'] !== '/nowhere') return
    setImmediate(() => {
      response.statusCode = 418
      response.end()
    })
  })
  const session = await openSession(t, running)

  t.equal((await responseTo(connectStream(session, '/nowhere'))).status, 418)
})

const wrong: Record<string, [headers: Record<string, string | undefined>, status: number, body: RegExp]> = {
  'another version': [{ 'sec-websocket-version': '12' }, 400, /Sec-WebSocket-Version/],
  'no version': [{ 'sec-websocket-version': undefined }, 400, /Sec-WebSocket-Version/],
  'a key that is none': [{ 'sec-websocket-key': 'short' }, 400, /Sec-WebSocket-Key/],
  'the same protocol twice': [{ 'sec-websocket-protocol': 'a, a' }, 400, /Sec-WebSocket-Protocol/],
  'a protocol that is no token': [{ 'sec-websocket-protocol': 'a b' }, 400, /Sec-WebSocket-Protocol/],
  'a body': [{ 'content-length': '5' }, 400, /FST_WS_UPGRADE_WITH_BODY/]
}
for (const [name, [headers, status, body]] of Object.entries(wrong)) {
  t.test(`refuses ${name}, and the session lives`, async t => {
    const running = await start(t, { over: 'h2c' }, declare)
    const session = await openSession(t, running)
    const stream = connectStream(session, '/echo', headers)

    t.match(await responseTo(stream), { status, body })
    t.equal((await responseTo(session.request({ ':path': '/plain' }))).body, 'plain')
    t.equal(running.app.websocketServer.clients.size, 0)
  })
}

t.test('does not let malformed pseudo-headers through, and the session lives', async t => {
  const running = await start(t, { over: 'h2c' }, declare)
  const session = await openRawSession(t, running)
  const malformed = [
    ...[':path', ':scheme', ':authority'].map(missing => CONNECT.filter(([name]) => name !== missing)),
    [...CONNECT, [':path', '/echo']] as typeof CONNECT,
    CONNECT.map(([name, value]) => [name, name === ':path' ? '' : value]) as typeof CONNECT,
    [...CONNECT, ['upgrade', 'websocket']] as typeof CONNECT
  ]
  let id = 1
  for (const fields of malformed) {
    session.write(headersFrame(id, fields))
    t.equal((await session.next(frame => frame.id === id && frame.type === FRAMES.reset)).payload.readUInt32BE(), 1, 'PROTOCOL_ERROR')
    id += 2
  }
  session.write(headersFrame(id))

  t.equal((await session.next(frame => frame.id === id)).type, FRAMES.headers)
})

t.test('takes upgrades from the server that the options name, and lets go of it on close', async t => {
  const server = await listen(t)
  const running = create(t)
  await running.app.register(websocket, { options: { server: server as object as Server } })
  declare(running.app)
  await running.app.ready()
  const target = { url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  const session = await openSession(t, target)
  const stream = connectStream(session, '/echo')
  t.equal((await answerTo(stream))[':status'], 200)
  stream.resume()

  const closing = running.app.close()
  stream.end()
  await within(once(session, 'goaway'), 'GOAWAY')
  await within(closing, 'app.close()')
  t.equal(server.listenerCount('connect'), 0)
  t.equal((await openSession(t, target)).remoteSettings.enableConnectProtocol, false)
})

t.test('gives an upgrade to the registration that has its route', async t => {
  const server = await listen(t)
  const apps = [create(t), create(t)]
  for (const [index, { app }] of apps.entries()) {
    await app.register(websocket, { options: { server: server as object as Server } })
    app.get(`/${index}`, { websocket: true }, socket => { socket.send(`hello from ${index}`) })
    await app.ready()
  }
  const session = await openSession(t, { url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}` })

  for (const index of [0, 1]) {
    const next = framesOf(connectStream(session, `/${index}`))
    t.equal(String((await next()).payload), `hello from ${index}`)
  }
})

t.test('serves an application that makes its server itself', async t => {
  const running = await start(t, { fastify: { serverFactory: (handler: () => void) => createServer(handler) } as object }, declare)
  const session = await openSession(t, running)

  t.equal((await answerTo(connectStream(session, '/echo')))[':status'], 200)
})

t.test('refuses with 503 while the application closes, and ends', async t => {
  const running = await start(t, { over: 'h2c' }, app => {
    declare(app)
    app.addHook('onRequest', async request => {
      if (request.url !== '/waits') return
      app.server.emit('in hook')
      await once(request.signal, 'abort')
    })
    app.get('/waits', { websocket: true }, () => {})
  })
  const session = await openSession(t, running)
  const inHook = once(running.server, 'in hook')
  const stream = connectStream(session, '/waits')
  await within(inHook, 'the hook')
  const response = responseTo(stream)
  const closing = running.app.close()

  t.match(await response, { status: 503, body: /FST_WS_CLOSING/ })
  session.close()
  await t.resolves(within(closing, 'app.close()', 2 * LIMIT))
  await until(() => session.destroyed, 'the end of the session')
})

function declare (app: FastifyInstance): void {
  echo(app, '/echo')
  app.get('/plain', async () => 'plain')
}

async function listen (t: Test): Promise<Http2Server> {
  const server = createServer((_request, response) => { response.end() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return server
}
