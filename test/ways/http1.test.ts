import t from 'tap'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import websocket from '../../src'
import { create, start } from '../helpers/app'
import { listenWithBodies } from '../helpers/begun-bodies'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectRaw } from '../helpers/raw-client'
import { assertRefusal } from '../helpers/refusal'

checkLeaksAtEnd(t)

const H2C = { Connection: 'Upgrade', Upgrade: 'h2c' }

t.test("takes the upgrades of the application's server, and of no other listener's path", async t => {
  const running = await start(t, app => {
    app.server.on('upgrade', ({ url }, socket) => { if (url === '/theirs') socket.end('theirs') })
    declare(app)
  })
  const { socket, inbox } = await running.connect('/echo')
  socket.send('hello')
  const client = await running.raw()
  client.upgrade('/theirs')

  t.equal(String(await inbox.next()), 'hello')
  t.equal(String(await client.readUntilClose()), 'theirs')
})

t.test('serves a foreign upgrade as a plain request, alone and in company, in its turn', async t => {
  const running = await start(t, declare)
  for (const listener of [undefined, () => {}]) {
    if (listener !== undefined) running.server.on('upgrade', listener)
    const client = await running.raw()
    client.request('GET', '/slow').request('GET', '/plain', H2C)
    t.equal((await client.readResponse()).body, 'slow')
    t.equal((await client.readResponse()).body, 'plain')
  }
})

t.test('answers a foreign upgrade whose body is being parsed as a plain request', async t => {
  const running = await start(t, declare)
  const server = await listenWithBodies(t, running.server)
  const client = await connectRaw((server.address() as AddressInfo).port)
  t.teardown(() => { client.destroy() })
  client.request('POST', '/plain', { 'Content-Type': 'text/plain', 'Content-Length': '5', 'X-Offer': 'h2c' }).write('small')

  t.match(await client.readResponse(), { status: 200, body: 'small', headers: { connection: 'close' } })
})

t.test('takes upgrades from the server that the options name, and lets go of it on close', async t => {
  const server = await listen(t)
  const running = create(t)
  await running.app.register(websocket, { options: { server } })
  declare(running.app)
  await running.app.ready()
  const client = await connectRaw((server.address() as AddressInfo).port)
  t.teardown(() => { client.destroy() })

  t.equal((await client.upgrade('/echo').readResponse()).status, 101)
  client.fin()
  await running.app.close()
  t.equal(server.listenerCount('upgrade'), 0)
})

t.test('hands foreign upgrades on such a server back to that server', async t => {
  const server = await listen(t)
  server.on('request', (rawRequest, rawResponse) => { rawResponse.end(`its own ${rawRequest.url}`) })
  const running = create(t)
  await running.app.register(websocket, { options: { server } })
  await running.app.ready()
  const client = await connectRaw((server.address() as AddressInfo).port)
  t.teardown(() => { client.destroy() })

  t.equal((await client.request('GET', '/plain', H2C).readResponse()).body, 'its own /plain')
})

t.test('answers after the handshake limit what others leave, and asks shouldHandle first', async t => {
  const running = await start(t, { websocket: { handshakeTimeout: 500, shouldHandle: ({ url }) => url === '/now' } }, app => {
    declare(app)
    app.server.on('upgrade', ({ url }, socket) => { if (url === '/later') setImmediate(() => socket.end('later')) })
  })
  const client = await running.raw()
  client.upgrade('/later')

  t.equal(String(await client.readUntilClose()), 'later')
  client.fin()
  const nobody = (await running.raw()).upgrade('/nobody')
  const now = (await running.raw()).upgrade('/now')
  t.equal((await now.readResponse()).status, 404)
  t.equal(nobody.leftover.length, 0, 'what nobody wants waits longer')
  t.equal((await nobody.readResponse()).status, 404)
  await assertServerHoldsNothing(t, running.server)
})

for (const headers of [{ 'Content-Length': '5' }, { 'Transfer-Encoding': 'chunked' }]) {
  t.test(`answers 400 to a websocket upgrade that announces a body by ${Object.keys(headers)}, before anything is routed`, async t => {
    const running = await start(t, declare)
    await assertRefusal(t, running, { path: '/echo', headers, status: 400, body: /FST_WS_UPGRADE_WITH_BODY/ })

    t.same(running.log.filter(({ msg }) => msg === 'incoming request'), [])
  })
}

t.test('takes a websocket upgrade that says that it has no body', async t => {
  const running = await start(t, declare)
  const client = await running.raw()

  t.equal((await client.upgrade('/echo', { 'Content-Length': '0' }).readResponse()).status, 101)
})

t.test('serves an upgrade over HTTP/1.0 as the plain request that it is, and takes one without a Host', async t => {
  const running = await start(t, declare)
  const head = (version: string, path: string, ...lines: string[]): string =>
    [`GET ${path} HTTP/${version}`, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...lines, '', ''].join('\r\n')

  t.match(await (await running.raw()).write(head('1.0', '/plain', 'Host: x')).readResponse(), { status: 200, body: 'plain' })
  t.match(await (await running.raw()).write(head('1.0', '/echo')).readResponse(), { status: 404 })
  t.equal((await (await running.raw()).write(head('1.1', '/echo')).readResponse()).status, 101)
})

t.test('answers 400 to a foreign upgrade on a server that serves no plain requests', async t => {
  const server = await listen(t)
  const running = create(t)
  await running.app.register(websocket, { options: { server } })
  declare(running.app)
  await running.app.ready()
  const client = await connectRaw((server.address() as AddressInfo).port)
  t.teardown(() => { client.destroy() })

  t.match(await client.request('GET', '/plain', H2C).readResponse(), { status: 400, body: /FST_WS_WEBSOCKETS_ONLY/ })
})

t.test('leaves an upgrade to a listener that has written its answer and reads nothing', async t => {
  const running = await start(t, { websocket: { handshakeTimeout: 20 } }, app => {
    declare(app)
    app.server.on('upgrade', ({ url }, socket) => { if (url !== '/echo') socket.write(`theirs ${url}`) })
  })
  for (const path of ['/theirs', '/plain']) {
    const client = await running.raw()
    client.upgrade(path)
    await client.readBytes('theirs '.length + path.length)
    await sleep(60)
    t.equal(client.leftover.length, 0)
    client.reset()
  }
})

t.test('leaves what is left to others to them while the application closes, and answers 503 where nobody takes it', async t => {
  const running = await start(t, { websocket: { handshakeTimeout: 300 } }, app => {
    declare(app)
    app.server.on('upgrade', ({ url }, socket) => { if (url === '/proxied') app.server.once('answer', () => socket.end('theirs')) })
  })
  let seen = 0
  running.server.on('upgrade', () => { seen++ })
  const proxied = (await running.raw()).upgrade('/proxied')
  const nobody = (await running.raw()).upgrade('/nobody')
  await until(() => seen === 2, 'both upgrades')
  const closed = running.app.close()
  await new Promise(setImmediate)
  running.server.emit('answer')

  t.equal(String(await proxied.readUntilClose()), 'theirs')
  t.match(await nobody.readResponse(), { status: 503, body: /FST_WS_CLOSING/ })
  proxied.fin()
  await t.resolves(within(closed, 'app.close()'))
})

function declare (app: FastifyInstance): void {
  app.get('/plain', async () => 'plain')
  app.post('/plain', async request => request.body)
  app.get('/slow', async () => {
    await new Promise(setImmediate)
    return 'slow'
  })
  app.get('/echo', { websocket: true }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
}

async function listen (t: { teardown: (end: () => void) => void }): Promise<Server> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return server
}
