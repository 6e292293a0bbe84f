import t, { type Test } from 'tap'
import { once } from 'node:events'
import { connect, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Http2Connection } from '../src/http2-client'
import { start } from './helpers/app'
import { closeFrame, frame } from './helpers/frames'
import { connectHttp2, rawOverHttp2 } from './helpers/http2-clients'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { upgradeHead } from './helpers/requests'
import { echo } from './helpers/routes'

checkLeaksAtEnd(t)

const MIB = 1024 * 1024

for (const over of ['h2c', 'h2'] as const) {
  t.test(`opens a websocket of a client of HTTP/1.1, over ${over}`, async t => {
    const running = await start(t, { over }, app => {
      app.addHook('onRequest', async ({ headers, protocol }, reply) => {
        t.match(headers, { 'x-twice': '1, 2', cookie: 'a=b', ':authority': 'localhost' })
        t.equal(protocol, over === 'h2' ? 'https' : 'http')
        reply.header('set-cookie', ['a=1', 'b=2'])
      })
      echo(app)
    })
    const { socket, inbox } = await running.connect('/', { headers: { 'X-Twice': ['1', '2'] as unknown as string, cookie: 'a=b', host: 'localhost' } })
    socket.send('hello')

    t.equal(String(await inbox.next()), 'hello')
    socket.close(4000)
    t.equal((await inbox.closed).code, 4000)
    await assertServerHoldsNothing(t, running.server)
  })
}

t.test('sends the head in pieces and what comes behind it', async t => {
  const running = await start(t, { over: 'h2c' }, echo)
  const client = rawOverHttp2(running)
  const head = upgradeHead('/', { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' })
  client.write(head.slice(0, 20)).write(Buffer.concat([Buffer.from(head.slice(20)), frame('text', 'early')])).write(frame('text', 'late'))

  t.match(await client.readResponse(), { status: 101, headers: { 'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' } })
  t.equal(String((await client.readFrame()).payload), 'early')
  t.equal(String((await client.readFrame()).payload), 'late')
  client.write(closeFrame(1000))
  await client.readFrame()
  client.fin()
  await within(client.closed, 'the end')
  await assertServerHoldsNothing(t, running.server)
})

t.test('fails where the server takes no websockets over HTTP/2', async t => {
  const running = await start(t, { over: 'h2c', websocket: { http2: false } }, echo)
  await t.rejects(running.connect(), { message: /no websockets over HTTP\/2/ })
})

t.test('fails where nobody listens', async t => {
  const server = await listen(t)
  const { port } = server.address() as AddressInfo
  server.close()
  const connection = new Http2Connection(connect(`http://127.0.0.1:${port}`))
  const [error] = await within(once(connection, 'error'), 'the error')
  t.equal(error.code, 'ECONNREFUSED')
})

t.test('reads a refusal of a status that nobody knows', async t => {
  const connection = await connected(t, stream => {
    stream.respond({ ':status': 599 })
    stream.end('no')
  })
  connection.end(upgradeHead('/'))

  t.match(await within(text(connection), 'the answer'), /^HTTP\/1\.1 599 \r\nconnection: close\r\n.*\r\n\r\nno$/s)
})

t.test('ends at once when the stream is reset, or the session lost', async t => {
  for (const end of [(stream: ServerHttp2Stream) => { stream.close(2) }, (stream: ServerHttp2Stream) => { stream.close(8) }, (stream: ServerHttp2Stream) => { stream.session?.destroy() }]) {
    const connection = await connected(t, stream => { setImmediate(end, stream) })
    connection.on('error', () => {})
    connection.write(upgradeHead('/'))
    connection.resume()
    await t.resolves(within(new Promise(resolve => { connection.once('close', resolve) }), 'the close'))
  }
})

t.test('ends with a refusal that asks it to send no more, also where it reads that later', async t => {
  const server = await listen(t)
  const isClosed = new Promise(resolve => {
    server.once('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 403 })
      // RFC 9113 section 8.1: nothing of the request was read.
      stream.end(Buffer.alloc(MIB), () => { stream.close(0) })
      stream.once('close', resolve)
    })
  })
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { settings: { initialWindowSize: 2 * MIB } })
  await once(session, 'connect')
  session.setLocalWindowSize(2 * MIB)
  const connection = new Http2Connection(session)
  connection.write(upgradeHead('/'))
  // More than the server opens its window for.
  connection.write(Buffer.alloc(256 * 1024))
  await within(isClosed, 'the whole refusal')
  await new Promise(resolve => { session.ping(resolve) })
  connection.resume()
  await within(once(connection, 'end'), 'the refusal')
  connection.end()
  await t.resolves(within(once(connection, 'close'), 'the close'))
})

t.test('may be left at any time', async t => {
  for (const leave of ['end', 'destroy'] as const) {
    const running = await start(t, { over: 'h2c' }, echo)
    const early = connectHttp2(running)
    early.resume()[leave]()
    const pending = connectHttp2(running)
    pending.write(upgradeHead('/'))
    pending.destroy()
    await until(() => pending.closed, 'the end')
    early.destroy()
    const session = connect(running.url(''))
    const settings = once(session, 'remoteSettings')
    const late = new Http2Connection(session)
    await within(settings, 'the settings')
    late.write(upgradeHead('/'))
    late.destroy()
    await assertServerHoldsNothing(t, running.server)
  }
})

t.test('holds the server back, and is held back', async t => {
  const SIZE = 4 * 1024 * 1024
  let served: ServerHttp2Stream | undefined
  const connection = await connected(t, stream => {
    served = stream
    stream.respond({ ':status': 200 })
    stream.pause()
    stream.write(Buffer.alloc(SIZE))
  })
  connection.write(upgradeHead('/'))
  await until(() => served !== undefined, 'the stream')
  t.equal(connection.write(Buffer.alloc(SIZE)), false)
  t.ok(Number(served?.writableLength) > 0)
  let size = 0
  connection.on('data', bytes => { size += bytes.length })
  await until(() => size > SIZE, 'all of it')
  served?.resume()
  await within(once(connection, 'drain'), 'the rest')
  connection.destroy()
})

async function connected (t: Test, onStream: (stream: ServerHttp2Stream) => void): Promise<Http2Connection> {
  const server = await listen(t)
  server.on('stream', onStream)
  const connection = new Http2Connection(connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  t.teardown(() => { connection.destroy() })
  return connection
}

async function listen (t: Test): Promise<Http2Server> {
  const server = createServer({ settings: { enableConnectProtocol: true } })
  server.on('stream', stream => { stream.on('error', () => {}) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return server
}

t.test('holds the server back while nobody reads, and loses nothing', async t => {
  const size = 4 * 1024 * 1024
  const running = await start(t, { over: 'h2c' }, app => {
    app.get('/', { websocket: true }, socket => { socket.send(Buffer.alloc(size)) })
  })
  const { socket, inbox } = await running.connect('/')
  socket.pause()
  const [served] = running.app.websocketServer.clients
  await until(() => served !== undefined && served.bufferedAmount > 0, 'the server to wait')
  await new Promise(setImmediate)
  socket.resume()
  t.equal(String(await inbox.next()).length, size)
})
