import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import websocket from '../src'
import type { WebsocketPluginOptions } from '../types'
import { create, start, type Client, type Declare, type Running, type StartOptions } from './helpers/app'
import { deferred } from './helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd, countConnections } from './helpers/leaks'
import { LIMIT, until, within } from './helpers/limit'
import { resolveBothLoopbacks } from './helpers/loopbacks'
import { closeFrame, connectRaw, type RawClient } from './helpers/raw-client'
import { connectBy, transportOf, WAYS } from './helpers/ways'

checkLeaksAtEnd(t)

// Milliseconds, where a test needs the time limit of the shutdown to pass.
const SHORT = 100
// More than a test may take: what happens in it did not wait for that long.
const LONG = 10 * LIMIT

async function startEcho (t: Test, websocket: WebsocketPluginOptions = {}, options: StartOptions = {}, declare: Declare = () => {}): Promise<Running> {
  return await start(t, { websocket, ...options }, app => {
    declare(app)
    app.get('/', { websocket: true }, socket => {
      socket.on('message', data => socket.send(String(data)))
    })
  })
}

async function close (app: FastifyInstance): Promise<void> {
  await within(app.close(), 'app.close()')
}

/** A client that reads, and never answers a close frame. */
async function openSilent (t: Test, target: Running | number): Promise<RawClient> {
  const client = await connectRaw(target)
  t.teardown(() => client.destroy())
  t.equal((await client.upgrade('/').readResponse()).status, 101)
  return client
}

async function readCloseFrame (client: RawClient): Promise<Buffer> {
  const { opcode, payload } = await client.readFrame()
  if (opcode !== 8) throw new Error(`not a close frame: ${opcode}`)
  return payload
}

t.test('closes every client, without a code', async t => {
  const running = await startEcho(t)
  const clients = await Promise.all([running.connect(), running.connect(), running.connect()])

  await close(running.app)

  for (const { inbox } of clients) t.same(await inbox.closed, { code: 1005, reason: '' })
})

t.test('closes every client with the code and the reason of the shutdown option', async t => {
  for (const shutdown of [{ code: 1001 }, { code: 4000, reason: 'bye' }]) {
    const running = await startEcho(t, { shutdown })
    const { inbox } = await running.connect()

    await close(running.app)

    t.match(await inbox.closed, shutdown)
  }
})

t.test('cuts clients that do not answer the close frame in time', async t => {
  for (const clientTracking of [true, false]) {
    const running = await startEcho(t, { shutdown: { timeout: SHORT }, options: { clientTracking } })
    const clients = [await openSilent(t, running), await openSilent(t, running)]

    await close(running.app)

    for (const client of clients) {
      t.equal((await readCloseFrame(client)).length, 0)
      await client.readUntilClose()
    }
  }
})

t.test('waits for clients that answer the close frame late', async t => {
  const running = await startEcho(t)
  const client = await openSilent(t, running)

  let hasClosed = false
  const closing = close(running.app).then(() => { hasClosed = true })
  await readCloseFrame(client)
  await sleep(3 * SHORT)
  t.equal(await countConnections(running.server), 1)
  t.notOk(hasClosed)

  client.write(closeFrame(1000)).fin()
  await closing
  t.equal(await countConnections(running.server), 0)
})

t.test('closes every client when the websocketServer tracks none', async t => {
  const running = await startEcho(t, { options: { clientTracking: false } })
  const left = await running.connect()
  left.socket.close()
  await left.inbox.closed
  const { inbox } = await running.connect()

  await close(running.app)

  t.equal((await inbox.closed).code, 1005)
})

t.test('closes the websocketServer', async t => {
  const running = await startEcho(t)
  const closed = once(running.app.websocketServer, 'close')
  await running.connect()

  await close(running.app)

  await within(closed, "the 'close' event")
})

t.test('ends where the application took every listener off a socket', async t => {
  const running = await startEcho(t)
  const { socket, inbox } = await running.connect()
  for (const client of running.app.websocketServer.clients) client.removeAllListeners()
  socket.close()
  await inbox.closed
  await assertServerHoldsNothing(t, running.server)

  await close(running.app)
})

t.test('ends when it is called twice', async t => {
  const running = await startEcho(t)
  const { inbox } = await running.connect()

  await Promise.all([close(running.app), close(running.app)])
  await close(running.app)

  t.equal((await inbox.closed).code, 1005)
})

t.test('ends before the application has listened or was ready', async t => {
  const { app } = create(t)
  app.register(websocket)
  await close(app)

  const other = create(t).app
  await other.register(websocket)
  await other.ready()
  await close(other)
})

t.test('ends when the application could not start', async t => {
  const { app } = create(t)
  app.register(websocket)
  app.register(async () => { throw new Error('by a plugin') })
  await t.rejects(async () => { await app.ready() }, { message: 'by a plugin' })

  await close(app)
})

for (const [name, fastify] of Object.entries({ forceCloseConnections: { forceCloseConnections: true }, 'return503OnClosing: false': { return503OnClosing: false } })) {
  t.test(`ends with ${name}`, async t => {
    const running = await startEcho(t, { shutdown: { timeout: SHORT } }, { fastify })
    const { inbox } = await running.connect()
    await openSilent(t, running)
    const idle = await running.raw()

    const closing = close(running.app)
    idle.fin()
    await closing

    t.equal((await inbox.closed).code, 1005)
    await assertServerHoldsNothing(t, running.server)
  })
}

t.test('refuses upgrades that are pending', async t => {
  const hooked = deferred()
  const released = deferred()
  let handled = false
  const running = await start(t, app => {
    app.addHook('preHandler', async () => {
      hooked.resolve()
      await released.promise
    })
    app.get('/', { websocket: true }, () => { handled = true })
  })
  const client = await running.raw()
  client.upgrade('/')
  await within(hooked.promise, 'the hook')

  const closing = close(running.app)
  const { status, body, headers } = await client.readResponse()
  t.equal(status, 503)
  t.equal(headers.connection, 'close')
  t.match(JSON.parse(body), { statusCode: 503, message: 'Service Unavailable' })

  released.resolve()
  client.fin()
  await closing
  t.notOk(handled)
  t.strictSame(running.log.filter(({ level }) => level > 40), [])
})

t.test('is not disturbed by a hook that replies to an upgrade that was refused', async t => {
  const hooked = deferred()
  const released = deferred()
  const running = await start(t, app => {
    app.addHook('preHandler', async (_request, reply) => {
      hooked.resolve()
      await released.promise
      return reply.code(403).send('too late')
    })
    app.get('/', { websocket: true }, () => {})
  })
  const client = await running.raw()
  client.upgrade('/')
  await within(hooked.promise, 'the hook')

  const closing = close(running.app)
  t.equal((await client.readResponse()).status, 503)
  released.resolve()
  t.equal((await client.readUntilClose()).length, 0)
  client.fin()

  await closing
  t.strictSame(running.log.filter(({ level }) => level > 40), [])
})

t.test('refuses upgrades that verifyClient has not answered', async t => {
  const asked = deferred()
  const answer = deferred<boolean>()
  const running = await startEcho(t, { options: { verifyClient: () => { asked.resolve(); return answer.promise } } })
  const client = await running.raw()
  client.upgrade('/')
  await within(asked.promise, 'verifyClient')

  const closing = close(running.app)
  t.equal((await client.readResponse()).status, 503)
  answer.resolve(true)
  client.fin()

  await closing
  t.equal(running.app.websocketServer.clients.size, 0)
})

t.test('refuses upgrades that arrive while it closes', async t => {
  for (const return503OnClosing of [true, false]) {
    const answered = deferred()
    const running = await startEcho(t, {}, { fastify: { return503OnClosing } }, app => {
      // From its next step on Node ends connections without a request, before or after they send one.
      app.addHook('preClose', async () => { await answered.promise })
    })
    const open = await openSilent(t, running)
    const late = await running.raw()

    const closing = close(running.app)
    await readCloseFrame(open)
    t.equal((await late.upgrade('/').readResponse()).status, 503)
    answered.resolve()
    late.fin()
    open.write(closeFrame(1000)).fin()

    await closing
  }
})

t.test('cuts refused clients that do not read their answer', async t => {
  const hooked = deferred()
  const running = await start(t, { websocket: { shutdown: { timeout: SHORT } } }, app => {
    app.get('/', { websocket: true }, () => {})
    app.get('/large', { websocket: true, preHandler: async (_request, reply) => { await reply.code(403).send(Buffer.alloc(32 * 1024 * 1024)) } }, () => {})
    app.addHook('onSend', async () => { hooked.resolve() })
  })
  const client = await running.raw()
  client.upgrade('/large').pause()
  await within(hooked.promise, 'the answer')

  await close(running.app)

  await assertServerHoldsNothing(t, running.server)
})

t.test('closes the clients of injectWS', async t => {
  const running = await startEcho(t)
  const client = await running.app.injectWS()
  const closed = once(client, 'close')

  await close(running.app)

  t.equal((await within(closed, 'the close'))[0], 1005)
})

interface Own {
  running: Running;
  httpServer: Server;
  port: number;
}

/** An application that takes its upgrades from a server of its own. */
async function startOwn (t: Test, options: WebsocketPluginOptions = {}): Promise<Own> {
  const httpServer = createServer((_request, response) => { response.end('plain') })
  await once(httpServer.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    httpServer.close()
    httpServer.closeAllConnections()
  })
  const running = await startEcho(t, { ...options, options: { server: httpServer } })
  return { running, httpServer, port: (httpServer.address() as AddressInfo).port }
}

t.test("closes the clients of the application's own server, and listens to it no more", async t => {
  const { running, httpServer, port } = await startOwn(t, { shutdown: { timeout: SHORT } })
  const silent = await openSilent(t, port)
  const answering = await openSilent(t, port)
  const answered = readCloseFrame(answering).then(() => answering.write(closeFrame(1000)).fin())

  await close(running.app)
  await answered

  t.equal((await readCloseFrame(silent)).length, 0)
  t.equal(httpServer.listenerCount('upgrade'), 0)
  await assertServerHoldsNothing(t, httpServer)
  const client = await connectRaw(port)
  t.equal((await client.upgrade('/').readResponse()).body, 'plain')
  client.destroy()
})

t.test("waits for the refusals on the application's own server, and cuts them in the end", async t => {
  const asked = deferred()
  const { running, httpServer, port } = await startOwn(t, { shutdown: { timeout: SHORT } })
  running.app.websocketServer.options.verifyClient = (_info, _answer) => { asked.resolve() }
  const client = await connectRaw(port)
  t.teardown(() => client.destroy())
  client.upgrade('/')
  await within(asked.promise, 'verifyClient')

  await close(running.app)

  t.equal((await client.readResponse()).status, 503)
  t.equal(await countConnections(httpServer), 0)
})

t.test('closes the clients of the second server that listening on localhost makes', async t => {
  resolveBothLoopbacks(t)
  const running = await startEcho(t, { shutdown: { timeout: SHORT } }, { host: 'localhost' })
  const hosts: RawClient[] = []
  for (const address of running.app.addresses()) {
    if (typeof address === 'string') continue
    const client = await connectRaw({ port: running.port, host: address.address })
    t.teardown(() => client.destroy())
    t.equal((await client.upgrade('/').readResponse()).status, 101)
    hosts.push(client)
  }
  t.equal(hosts.length, 2, 'there is a second server')

  await close(running.app)

  for (const client of hosts) {
    t.equal((await readCloseFrame(client)).length, 0)
    await client.readUntilClose()
  }
})

type PreClose = NonNullable<WebsocketPluginOptions['preClose']>

function goOffline (app: FastifyInstance, done?: () => void): void {
  for (const socket of app.websocketServer.clients) socket.close(4001, 'offline')
  app.websocketServer.close(done)
}

const customs: Record<string, [preClose: PreClose, code: number]> = {
  'takes a callback': [function (this: FastifyInstance, done: () => void) { goOffline(this, done) }, 4001],
  'is async': [async function (this: FastifyInstance) { goOffline(this) }, 4001],
  'is async, and waits for the websocketServer': [
    async function (this: FastifyInstance) { await new Promise<void>(resolve => { goOffline(this, resolve) }) },
    4001
  ],
  'is neither': [function (this: FastifyInstance) { goOffline(this) } as () => Promise<void>, 4001],
  'leaves all to the default': [async () => {}, 1005]
}

for (const [name, [preClose, code]] of Object.entries(customs)) {
  t.test(`ends with a preClose that ${name}`, async t => {
    const running = await startEcho(t, { preClose })
    const { inbox } = await running.connect()
    let closes = 0
    running.app.websocketServer.on('close', () => { closes++ })

    await close(running.app)

    t.equal((await inbox.closed).code, code)
    await until(() => closes === 1, "the 'close' event")
    await new Promise(setImmediate)
    t.equal(closes, 1, 'once')
  })
}

// As a script's arrow function has it, where the instance was meant.
const topLevelThis: FastifyInstance = Object.create(null)

const broken: Record<string, PreClose> = {
  'is an arrow function, whose this is not the instance': done => {
    goOffline(topLevelThis)
    done()
  },
  throws: () => { throw new Error('Cannot read this') },
  rejects: async () => { throw new Error('Cannot read this') },
  'calls back with an error': done => { done(new Error('Cannot read this')) }
}

for (const [name, preClose] of Object.entries(broken)) {
  t.test(`closes as by default after a preClose that ${name}, and then rejects with its error`, async t => {
    const running = await startEcho(t, { preClose })
    const { inbox } = await running.connect()

    await t.rejects(close(running.app), { message: /Cannot read/ })

    t.equal((await inbox.closed).code, 1005)
    t.equal(running.server.listening, false)
  })
}

t.test('logs the error of a preClose that fails when it has not been waited for any longer', async t => {
  const failure = deferred()
  const running = await startEcho(t, { preClose: () => failure.promise, shutdown: { timeout: SHORT } })

  await close(running.app)
  failure.reject(new Error('Too late'))

  t.match(await running.logged('Too late'), { level: 50 })
})

t.test('ends with a preClose that never does', async t => {
  const never: PreClose[] = [_done => {}, () => new Promise<void>(() => {})]
  for (const preClose of never) {
    const running = await startEcho(t, { preClose, shutdown: { timeout: SHORT } })
    const { inbox } = await running.connect()

    await close(running.app)

    t.equal((await inbox.closed).code, 1005)
  }
})

t.test('cuts silent clients that a preClose has waited for', async t => {
  const running = await startEcho(t, { preClose: function (this: FastifyInstance, done: () => void) { goOffline(this, done) }, shutdown: { timeout: SHORT } })
  const client = await openSilent(t, running)

  await close(running.app)

  t.equal((await readCloseFrame(client)).readUInt16BE(), 4001)
  await assertServerHoldsNothing(t, running.server)
})

t.test('lets clients finish while a preClose takes its time', async t => {
  const finished = deferred()
  const begun = deferred()
  const running = await startEcho(t, { preClose: async () => { begun.resolve(); await finished.promise } })
  const { socket, inbox } = await running.connect()

  const closing = close(running.app)
  await within(begun.promise, 'preClose')
  socket.send('not yet')
  t.equal(String(await inbox.next()), 'not yet')
  finished.resolve()
  await closing

  t.equal((await inbox.closed).code, 1005)
})

t.test("holds a preClose to its own limit where Fastify's limit for hooks is shorter", async t => {
  const running = await startEcho(t, { preClose: _done => {}, shutdown: { timeout: 5 * SHORT } }, { fastify: { pluginTimeout: SHORT } })
  const client = await running.app.injectWS()
  const closed = once(client, 'close')

  await close(running.app)

  t.equal((await within(closed, 'the close'))[0], 1005)
})

t.test('holds a preClose to its own limit where Fastify has none', async t => {
  const running = await startEcho(t, { preClose: _done => {}, shutdown: { timeout: SHORT } }, { fastify: { pluginTimeout: 0 } })
  const { inbox } = await running.connect()

  await close(running.app)

  t.equal((await inbox.closed).code, 1005)
})

t.test('leaves nothing behind where a preClose ends after everything else', async t => {
  const { app } = create(t, { fastify: { pluginTimeout: SHORT } })
  await app.register(websocket, { preClose: _done => {}, shutdown: { timeout: 3 * SHORT } })
  await app.ready()
  const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

  await close(app)

  await until(() => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length <= timers, 'the end of our timers', SHORT)
})

for (const way of WAYS) {
  t.test(`asks clients to leave in batches, and serves the others meanwhile (${way})`, async t => {
    const running = await startEcho(t, { shutdown: { code: 1012, batch: 2, interval: LONG } }, { over: transportOf(way) })
    const clients: Client[] = []
    for (let i = 0; i < 3; i++) clients.push(await connectBy(t, way, running))
    const [first, second, third] = clients as [Client, Client, Client]

    const closing = close(running.app)
    t.equal((await first.inbox.closed).code, 1012)
    t.equal((await second.inbox.closed).code, 1012)
    third.socket.send('still here')
    t.equal(String(await third.inbox.next()), 'still here')

    third.socket.close(1000)
    await closing
    t.equal((await third.inbox.closed).code, 1000, 'nobody is left to ask, so the interval is over')
  })
}

for (const clientTracking of [true, false]) {
  t.test(`gives silent clients of every batch the whole time limit, ${clientTracking ? 'tracked or' : 'and where none is tracked'}`, async t => {
    const running = await startEcho(t, { shutdown: { timeout: SHORT, batch: 1, interval: 3 * SHORT }, options: { clientTracking } })
    const clients = [await openSilent(t, running), await openSilent(t, running), await openSilent(t, running)]

    await close(running.app)

    for (const client of clients) {
      t.equal((await readCloseFrame(client)).length, 0)
      await client.readUntilClose()
    }
  })
}

t.test("takes longer over its batches than Fastify's limit for hooks", async t => {
  const running = await startEcho(t, { shutdown: { batch: 1, interval: SHORT } }, { fastify: { pluginTimeout: SHORT } })
  const client = await running.app.injectWS()
  const closed = [once(client, 'close')]
  for (let i = 0; i < 3; i++) closed.push(once(await running.app.injectWS(), 'close'))

  await close(running.app)

  for (const each of closed) t.equal((await within(each, 'the close'))[0], 1005)
})

t.test('closes in batches what a preClose has left open', async t => {
  const running = await startEcho(t, { preClose: async () => {}, shutdown: { batch: 1, interval: SHORT } })
  const clients = [await running.connect(), await running.connect()]

  await close(running.app)

  for (const { inbox } of clients) t.equal((await inbox.closed).code, 1005)
})

t.test('sends what a handler has sent before', async t => {
  const size = 8 * 1024 * 1024
  const running = await start(t, app => {
    app.get('/', { websocket: true }, (socket: WebSocket) => { socket.send(Buffer.alloc(size)) })
  })
  const client = running.dial()
  await within(once(client.socket, 'open'), 'open')

  await close(running.app)

  t.equal((await client.inbox.next()).data.length, size)
  t.equal((await client.inbox.closed).code, 1005)
})
