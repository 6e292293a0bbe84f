import t from 'tap'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { createServer as createTlsServer } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import { declineForeignBodies, isWebsocketUpgrade } from '../../src/ways/foreign'
import { start } from '../helpers/app'
import { listenWithBodies } from '../helpers/begun-bodies'
import { certificate } from '../helpers/certificate'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { connectRaw, frame, requestHead } from '../helpers/raw-client'

checkLeaksAtEnd(t)

const H2C = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQCAAAAAAIAAAAA' }

t.test('takes an upgrade for a websocket when that is among its offers', async t => {
  for (const upgrade of ['websocket', 'WebSocket', 'h2c, websocket', 'h2c,WEBSOCKET ']) {
    t.equal(isWebsocketUpgrade(asking({ upgrade })), true, upgrade)
  }
  for (const upgrade of ['h2c', 'websockets', 'web socket', '', undefined]) {
    t.equal(isWebsocketUpgrade(asking({ upgrade })), false, String(upgrade))
  }
  t.equal(isWebsocketUpgrade({ httpVersion: '1.0', headers: { host: 'x', upgrade: 'websocket' } } as IncomingMessage), false, 'HTTP/1.0')
  t.equal(isWebsocketUpgrade({ httpVersion: '1.1', headers: { upgrade: 'websocket' } } as IncomingMessage), true, 'no Host')
})

for (const secure of [false, true]) {
  t.test(`serves a foreign upgrade over ${secure ? 'TLS' : 'TCP'} as the plain request that was sent with it`, async t => {
    const running = await start(t, { over: secure ? 'tls' : 'tcp' }, declare)
    const client = await running.raw()
    client.request('GET', '/headers?a=b', { ...H2C, Connection: 'Upgrade, X-Hop , HTTP2-Settings', 'X-Hop': 'x', 'X-Empty': '', Cookie: 'c=d' })
    const headers = JSON.parse((await client.readResponse()).body)

    t.same(headers, { host: 'localhost', connection: 'X-Hop', 'x-hop': 'x', 'x-empty': '', cookie: 'c=d' })
  })

  t.test(`goes on after a foreign upgrade over ${secure ? 'TLS' : 'TCP'}, to a body, to a close or to a websocket`, async t => {
    const running = await start(t, { over: secure ? 'tls' : 'tcp' }, declare)
    const client = await running.raw()
    client.request('POST', '/', { ...H2C, 'Content-Type': 'text/plain', 'Content-Length': '5' }, 'small')
    t.equal((await client.readResponse()).body, 'small')
    client.request('GET', '/headers', H2C).upgrade('/echo').write(frame('text', 'hello'))
    t.equal((await client.readResponse()).status, 200)
    t.equal((await client.readResponse()).status, 101)
    t.equal(String((await client.readFrame()).payload), 'hello')
    client.fin()
    await assertServerHoldsNothing(t, running.server)

    const other = await running.raw()
    other.request('GET', '/headers', { ...H2C, Connection: 'close, Upgrade' })
    t.match(await other.readResponse(), { headers: { connection: 'close' } })
  })
}

t.test('keeps the limit of an idle connection away from a request that waited for earlier ones', async t => {
  const running = await start(t, { fastify: { keepAliveTimeout: 1 } }, app => {
    declare(app)
    app.get('/slow', async () => {
      await new Promise(resolve => setTimeout(resolve, 20))
      return 'slow'
    })
  })
  let limit: number | undefined
  running.server.on('request', ({ socket }) => { limit = socket.timeout })
  const client = await running.raw()
  client.request('GET', '/slow').request('GET', '/slow', H2C)

  t.equal((await client.readResponse()).body, 'slow')
  t.equal((await client.readResponse()).body, 'slow')
  t.equal(limit, 0)
})

for (const expect of ['100-continue', undefined]) {
  t.test(`answers a body that the parser has begun to read${expect === undefined ? '' : ', once it has asked for it'}, then ends the connection`, async t => {
    const running = await start(t, declare)
    const server = await listenWithBodies(t, running.server)
    const client = await connectRaw((server.address() as AddressInfo).port)
    t.teardown(() => { client.destroy() })
    client.request('POST', '/', { 'Content-Type': 'text/plain', 'Content-Length': '5', Expect: expect, 'X-Offer': 'h2c' })
    if (expect !== undefined) t.equal((await client.readResponse()).status, 100)
    client.write('small')

    t.match(await client.readResponse(), { status: 200, body: 'small', headers: { connection: 'close' } })
    t.equal((await client.readUntilClose()).length, 0)
    client.fin()
    await assertServerHoldsNothing(t, server)
  })
}

t.test('where Node parses bodies, declines foreign upgrades that have one, while nobody else listens', async t => {
  for (const [version, name, headers, isAlone, answer] of [
    ['26.0.0', 'a body by length', { upgrade: 'h2c', 'content-length': '5' }, true, false],
    ['26.0.0', 'a body in chunks', { upgrade: 'h2c', 'transfer-encoding': 'chunked' }, true, false],
    ['26.0.0', 'no body', { upgrade: 'h2c' }, true, true],
    ['26.0.0', 'a body of nothing', { upgrade: 'h2c', 'content-length': '0' }, true, true],
    ['26.0.0', 'a websocket', { upgrade: 'websocket', 'content-length': '5' }, true, true],
    ['26.0.0', 'company', { upgrade: 'h2c', 'content-length': '5' }, false, true],
    ['24.9.0', 'an older Node', { upgrade: 'h2c', 'content-length': '5' }, true, true]
  ] as const) {
    const { app } = await start(t, { websocket: false }, () => {})
    const original = (): boolean => true
    const server = Object.assign(app.server, { shouldUpgradeCallback: original as (rawRequest: IncomingMessage) => boolean })
    const undo = declineForeignBodies(server, () => isAlone, version)

    t.equal(server.shouldUpgradeCallback(asking(headers)), answer, name)
    undo()
    t.equal(server.shouldUpgradeCallback, original, 'and is as before afterwards')
  }
})

t.test('keeps the no of an application that declines upgrades itself', async t => {
  const { app } = await start(t, { websocket: false }, () => {})
  const server = Object.assign(app.server, { shouldUpgradeCallback: (_rawRequest: IncomingMessage): boolean => false })
  declineForeignBodies(server, () => true, '26.0.0')

  t.equal(server.shouldUpgradeCallback(asking({ upgrade: 'websocket' })), false)
})

t.test('leaves a callback that somebody put in front of it meanwhile, and steps aside', async t => {
  const { app } = await start(t, { websocket: false }, () => {})
  const server = Object.assign(app.server, { shouldUpgradeCallback: (_rawRequest: IncomingMessage): boolean => true })
  const undo = declineForeignBodies(server, () => true, '26.0.0')
  const { shouldUpgradeCallback: ours } = server
  const front = (rawRequest: IncomingMessage): boolean => ours.call(server, rawRequest)
  server.shouldUpgradeCallback = front
  const request = asking({ upgrade: 'h2c', 'content-length': '5' })
  t.equal(server.shouldUpgradeCallback(request), false)
  undo()

  t.equal(server.shouldUpgradeCallback, front)
  t.equal(server.shouldUpgradeCallback(request), true)
})

t.test('keeps the number of requests that a connection may have', async t => {
  const running = await start(t, { fastify: { maxRequestsPerSocket: 3 } }, declare)
  const client = await running.raw()
  client.request('GET', '/headers')
  t.equal((await client.readResponse()).headers.connection, 'keep-alive')
  client.request('GET', '/headers', H2C)
  t.match(await client.readResponse(), { status: 200, headers: { connection: 'close' } })

  t.equal((await client.readUntilClose()).length, 0)
})

t.test('serves a foreign upgrade on a connection that is no socket', async t => {
  const running = await start(t, declare)
  const [near, far] = duplexPair()
  running.server.emit('connection', far)
  near.write(requestHead('GET', '/headers', { ...H2C, 'X-Mine': 'yes', Connection: 'Upgrade, close' }))

  t.match(await within(text(near), 'the answer'), /^HTTP\/1\.1 200 .*"x-mine":"yes"/s)
})

t.test('serves a foreign upgrade on a TLS socket that was given to a plain server', async t => {
  const running = await start(t, declare)
  const front = createTlsServer(certificate, rawSocket => { running.server.emit('connection', rawSocket) }).listen(0, '127.0.0.1')
  await once(front, 'listening')
  t.teardown(() => { front.close() })
  const client = await connectRaw({ port: (front.address() as AddressInfo).port, secure: true })
  t.teardown(() => { client.destroy() })

  t.equal((await client.request('GET', '/headers', H2C).readResponse()).status, 200)
})

function declare (app: FastifyInstance): void {
  app.get('/headers', async request => request.headers)
  app.post('/', async request => request.body)
  app.get('/echo', { websocket: true }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
}

function asking (headers: IncomingMessage['headers']): IncomingMessage {
  return { httpVersion: '1.1', headers: { host: 'x', ...headers } } as IncomingMessage
}
