import t from 'tap'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import websocket from '../src'
import { create, start } from './helpers/app'
import { listenWithBodies } from './helpers/begun-bodies'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { connectRaw } from './helpers/raw-client'
import { assertRefusal } from './helpers/refusal'

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

t.test('answers 503 to an upgrade that arrives, waits or is left to others while the application closes', async t => {
  const running = await start(t, app => {
    declare(app)
    app.get('/waits', { websocket: true, onRequest: async request => { await once(request.signal, 'abort') } }, () => {})
    app.addHook('preClose', async () => { await within(release, 'the release') })
  })
  let go = (): void => {}
  const release = new Promise<void>(resolve => { go = resolve })
  let seen = 0
  running.server.on('upgrade', () => { seen++ })
  const clients = [await running.raw(), await running.raw(), await running.raw()]
  const upgrades = clients.slice(0, 2).map((client, index) => client.upgrade(['/waits', '/nobody'][index] ?? '/').readResponse())
  await running.logged('incoming request')
  await until(() => seen === 2, 'both upgrades')
  const closed = running.app.close()
  upgrades.push((async () => await clients[2]?.upgrade('/echo').readResponse() ?? Promise.reject(new Error('no client')))())

  for (const upgrade of upgrades) t.match(await upgrade, { status: 503, body: /FST_WS_CLOSING/, headers: { connection: 'close' } })
  go()
  await t.resolves(within(closed, 'app.close()'))
})

t.test('answers 500, logs and lives where the router throws', async t => {
  const running = await start(t, { fastify: { rewriteUrl: () => { throw new Error('thrown by rewriteUrl') } } }, declare)
  await assertRefusal(t, running, { path: '/echo', status: 500, body: /FST_WS_HANDSHAKE_FAILED/, close: false })

  t.match(await running.logged('websocket upgrade failed'), { err: { message: 'thrown by rewriteUrl' } })
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

t.test('leaves an upgrade to the others, and logs, when shouldHandle throws', async t => {
  const running = await start(t, { websocket: { shouldHandle: () => { throw new Error('undecided') } } }, app => {
    app.server.on('upgrade', (request, socket) => { setImmediate(() => { socket.end('theirs') }) })
    declare(app)
  })
  const client = await running.raw()
  client.upgrade('/echo')

  t.equal(String(await client.readUntilClose()), 'theirs')
  t.match(await running.logged('undecided'), { level: 50 })
})
