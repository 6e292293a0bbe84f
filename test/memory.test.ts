// A connection in memory against the same over TCP: what the HTTP server makes of a request is the same.
import { request, createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { once } from 'node:events'
import { createSecureServer, createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createConnection, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { connectInMemory, connectInMemoryOverHttp2 } from '../src/memory'
import type { UpgradeContext } from '../types'
import { certificate } from './helpers/certificate'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

const HEAD = 'GET /path HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'

interface Case {
  server?: ServerOptions;
  lines?: string;
  /** What the first line of the answer is. */
  status: RegExp;
}

const CASES: Record<string, Case> = {
  'a request that is no larger than others': { status: /101/ },
  'headers above the default size': { lines: `X-Large: ${'x'.repeat(20_000)}\r\n`, status: /431/ },
  'headers above maxHeaderSize': { server: { maxHeaderSize: 500 }, lines: `X-Large: ${'x'.repeat(500)}\r\n`, status: /431/ },
  'headers that only a larger maxHeaderSize lets pass': { server: { maxHeaderSize: 50_000 }, lines: `X-Large: ${'x'.repeat(20_000)}\r\n`, status: /101/ },
  'a header that is malformed': { lines: 'X-Bad : 1\r\n', status: /400/ },
  'a header that only insecureHTTPParser lets pass': { server: { insecureHTTPParser: true }, lines: 'X-Bad: a\x01b\r\n', status: /101/ },
  'the same without insecureHTTPParser': { lines: 'X-Bad: a\x01b\r\n', status: /400/ }
}

for (const [name, { server: options = {}, lines = '', status }] of Object.entries(CASES)) {
  t.test(name, async t => {
    const server = answering(createServer(options))
    for (const [way, client] of [['memory', connectInMemory(server, {})], ['TCP', await connectOverTcp(t, server)]] as const) {
      client.write(`${HEAD}${lines}\r\n`)
      t.match((await text(client)).split('\r\n')[0], status, way)
    }
  })
}

t.test('headers that are sent twice are joined where joinDuplicateHeaders says so', async t => {
  for (const joinDuplicateHeaders of [true, false]) {
    const { rawRequest } = await send(createServer({ joinDuplicateHeaders }), 'X-Twice: a\r\nAge: 1\r\nAge: 2\r\n')
    t.equal(rawRequest.headers.age, joinDuplicateHeaders ? '1, 2' : '1')
  }
})

t.test('headers above maxHeadersCount are dropped, or the request with them, as this Node does over TCP', async t => {
  const server = createServer()
  server.maxHeadersCount = 3
  server.on('upgrade', (rawRequest, rawSocket) => { rawSocket.end(`HTTP/1.1 101 ${Object.keys(rawRequest.headers)}\r\n\r\n`) })
  const [inMemory, overTcp] = await Promise.all([connectInMemory(server, {}), await connectOverTcp(t, server)].map(async client => {
    client.write(`${HEAD}X-Fourth: 4\r\n\r\n`)
    return await text(client)
  }))
  t.match(inMemory, /^HTTP\/1.1 (101 host,connection,upgrade\r|431 )/)
  t.equal(inMemory, overTcp)
})

t.test('the settings of a server that also speaks HTTP/2 hold where Node keeps them', async t => {
  const server = createSecureServer({ allowHTTP1: true, ...certificate, ...{ maxHeaderSize: 500 } }) as unknown as Server
  const client = connectInMemory(answering(server), {})
  client.write(`${HEAD}X-Large: ${'x'.repeat(500)}\r\n\r\n`)
  t.match(await text(client), Reflect.get(server, 'maxHeaderSize') === 500 ? /^HTTP\/1.1 431/ : /^HTTP\/1.1 101/)
})

t.test('the listener of clientError answers in place of Node', async t => {
  const server = createServer().on('clientError', (error, socket) => { socket.end(`HTTP/1.1 499 ${(error as NodeJS.ErrnoException).code}\r\n\r\n`) })
  const client = connectInMemory(server, {})
  client.write('nonsense\r\n\r\n')
  t.match(await text(client), /^HTTP\/1.1 499 HPE_INVALID_METHOD/)
})

t.test('what asks for no upgrade is a request of the server, with its context', async t => {
  const server = createServer((rawRequest, rawResponse) => {
    rawResponse.end(`${rawRequest.method} ${rawRequest.url} ${rawRequest.socket.remoteAddress} ${Reflect.get(rawRequest, 'user')}`)
  })
  const socket = connectInMemory(server, context({ user: 'ann', socket: { remoteAddress: '10.0.0.1' } }))
  const plain = request({ method: 'PUT', path: '/plain', createConnection: () => socket }).end()
  const [response] = await once(plain, 'response')
  t.equal(await text(response), 'PUT /plain 10.0.0.1 ann')
  socket.destroy()
})

t.test('an upgrade that the server declines is a request of it, where this Node asks', async t => {
  const server = answering(createServer((_rawRequest, rawResponse) => { rawResponse.end('declined') }))
  const asks = 'shouldUpgradeCallback' in server
  Reflect.set(server, 'shouldUpgradeCallback', () => false)
  const client = connectInMemory(server, {})
  client.write(`${HEAD}\r\n`)
  const [chunk] = await once(client, 'data')
  t.match(String(chunk), asks ? /declined/ : /101/)
  client.destroy()
})

t.test('a request without Host is answered as requireHostHeader says', async t => {
  for (const [requireHostHeader, status] of [[true, /400/], [false, /200/]] as const) {
    const server = createServer({ requireHostHeader }, (_rawRequest, rawResponse) => { rawResponse.end() })
    const client = connectInMemory(server, {})
    client.write('GET / HTTP/1.1\r\nConnection: close\r\n\r\n')
    t.match((await text(client)).split('\r\n')[0], status)
  }
})

t.test('an upgrade that nobody listens for is hung up on', async t => {
  const client = connectInMemory(createServer(), {})
  client.write(`${HEAD}\r\n`)
  t.equal(await text(client), '')
})

t.test('the context lands on the raw request and its socket, less what the client says', async t => {
  const given = context({ headers: { a: 'b' }, method: 'PUT', url: '/other', httpVersion: '2.0', user: 'ann', socket: { remoteAddress: '10.0.0.1' } })
  const { rawRequest, rawSocket } = await send(createServer(), '', given)
  const { method, url, httpVersion, headers } = rawRequest
  t.match({ method, url, httpVersion, headers, user: Reflect.get(rawRequest, 'user') }, { method: 'GET', url: '/path', httpVersion: '1.1', headers: { host: 'a.test' }, user: 'ann' })
  t.equal(rawSocket.remoteAddress, '10.0.0.1')
})

t.test('the socket is encrypted where the server is', async t => {
  for (const [server, encrypted] of [[createServer(), false], [createTlsServer(certificate), true]] as const) {
    const { rawSocket } = await send(server, '')
    t.equal(Reflect.get(rawSocket, 'encrypted'), encrypted)
    t.equal(rawSocket.remoteAddress, '127.0.0.1')
  }
})

t.test('the time limit of the server for a silent connection holds', async t => {
  const server = createServer()
  server.timeout = 10
  const client = connectInMemory(server, {})
  const alive = setInterval(() => {}, 1000)
  t.equal(await text(client), '')
  clearInterval(alive)
})

t.test('over HTTP/2 the server gets a stream of a session, with its context', async t => {
  for (const [server, encrypted] of [[createHttp2Server(), false], [createSecureServer(certificate), true]] as const) {
    server.on('request', () => {})
    const seen: unknown[] = []
    server.on('session', () => { seen.push('session') })
    server.on('connect', (rawRequest: Http2ServerRequest, rawResponse: Http2ServerResponse) => {
      const { stream, headers: { 'x-a': a } } = rawRequest
      seen.push(a, Reflect.get(rawRequest, 'user'), Reflect.get(stream, 'remoteAddress'), Reflect.get(stream, 'encrypted'), headerOf(rawRequest, ':scheme'))
      rawResponse.end('hello')
    })
    const given = context({ headers: { a: 'b' }, url: '/other', user: 'ann', socket: { remoteAddress: '10.0.0.1' } })
    const client = connectInMemoryOverHttp2(server as unknown as Server, given)
    client.write(`${HEAD}X-A: 1\r\n\r\n`)

    t.match(await text(client), /^HTTP\/1.1 101 .*hello$/s)
    t.same(seen, ['session', '1', 'ann', '10.0.0.1', encrypted, encrypted ? 'https' : 'http'])
  }
})

t.test('over HTTP/2 nobody is asked where nobody listens', async t => {
  const client = connectInMemoryOverHttp2(createHttp2Server() as unknown as Server, {})
  const failed = once(client, 'error')
  client.write(`${HEAD}\r\n`)
  t.match(await failed, [{ message: 'the server takes no websockets over HTTP/2' }])
})

function headerOf (rawRequest: Http2ServerRequest, name: string): unknown {
  return rawRequest.headers[name]
}

/** Sends an upgrade with these header lines, and gives what the server sees of it. */
async function send (server: Server, lines: string, given: UpgradeContext = {}): Promise<{ rawRequest: IncomingMessage, rawSocket: Socket }> {
  const upgrade = once(server, 'upgrade')
  const client = connectInMemory(server, given)
  client.write(`${HEAD}${lines}\r\n`)
  const [rawRequest, rawSocket] = await upgrade
  client.destroy()
  return { rawRequest, rawSocket }
}

function answering (server: Server): Server {
  return server.on('upgrade', (_rawRequest, rawSocket) => { rawSocket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n') })
}

async function connectOverTcp (t: Test, server: Server): Promise<Socket> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return createConnection((server.address() as AddressInfo).port, '127.0.0.1')
}

function context (given: object): UpgradeContext {
  return given as UpgradeContext
}
