// An upgrade that the application's own code takes in a hook is the application's, over every way in.
import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { type Running, start, ALL_TRANSPORTS } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { frame, type RawClient } from '../helpers/raw-client'

checkLeaksAtEnd(t)

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'

/** Takes every upgrade in a hook: whether Fastify's handler runs is told by the event 'handled'. */
function takeBy (take: (request: FastifyRequest, app: FastifyInstance) => unknown): (app: FastifyInstance) => void {
  return app => {
    app.addHook('onRequest', async (request, reply) => {
      reply.hijack()
      await take(request, app)
    })
    app.get('/', { websocket: true }, socket => { socket.send('handled') })
  }
}

/** What the plugin's users write to open a websocket themselves. */
function openWebsocket (request: FastifyRequest, app: FastifyInstance): WebSocket {
  let opened: WebSocket | undefined
  app.websocketServer.handleUpgrade(request.raw, request.raw.socket, Buffer.alloc(0), socket => {
    opened = socket
    socket.on('message', data => { socket.send(String((data as Buffer).length)) })
  })
  return opened as WebSocket
}

async function assertEchoes (client: RawClient, t: Test, sizes: number[]): Promise<void> {
  for (const size of sizes) t.equal(String((await client.readFrame()).payload), String(size))
}

for (const over of ALL_TRANSPORTS) {
  t.test(`gives a hook that takes it late every frame that came before, over ${over}`, async t => {
    const taking = deferred()
    const running = await start(t, { over }, takeBy(async (request, app) => {
      app.server.emit('in hook', request.raw.socket)
      await taking.promise
      openWebsocket(request, app)
    }))
    const client = await running.raw()
    const inHook = once(running.server, 'in hook')
    client.upgrade('/')
    const [rawSocket] = await within(inHook, 'the hook')
    const sizes = Array.from({ length: 13 }, (_each, index) => 8 * 1024 + index)
    const { bytesRead } = rawSocket
    for (const size of sizes) client.write(frame('binary', Buffer.alloc(size)))
    // It is read ahead up to a bound.
    await until(() => rawSocket.bytesRead > bytesRead + 64 * 1024, 'the frames')
    taking.resolve()

    t.equal((await client.readResponse()).status, 101)
    await assertEchoes(client, t, sizes)
  })

  t.test(`reads nothing of what a hook takes at once, over ${over}`, async t => {
    const running = await start(t, { over }, takeBy(openWebsocket))
    const client = await running.raw()
    t.equal((await client.upgrade('/').readResponse()).status, 101)
    const sizes = Array.from({ length: 20 }, () => 10 * 1024)
    for (const size of sizes) client.write(frame('binary', Buffer.alloc(size)))

    await assertEchoes(client, t, sizes)
  })

  t.test(`writes nothing into what a hook took when the application closes, over ${over}`, async t => {
    const running = await start(t, { over }, takeBy(openWebsocket))
    const { socket, inbox } = await running.connect()
    socket.send('x')
    t.equal(String(await inbox.next()), '1')
    const closed = running.app.close()

    t.equal((await inbox.closed).code, 1005, 'a client of the websocketServer is closed as any')
    await t.resolves(within(closed, 'app.close()'))
  })

  t.test(`keeps nothing of what a taker reads that pauses and resumes, over ${over}`, async t => {
    let size = 0
    const running = await start(t, { over }, takeBy(({ raw: { socket } }) => {
      socket.on('data', bytes => { size += bytes.length })
      socket.on('end', () => { socket.end() })
      socket.pause()
      socket.write(SWITCH)
      setImmediate(() => { socket.resume() })
    }))
    const client = await running.raw()
    await client.upgrade('/').readResponse()
    const chunk = Buffer.alloc(1024 * 1024)
    for (let i = 0; i < 32; i++) client.write(chunk)

    await until(() => size === 32 * chunk.length, 'all of it')
    client.fin()
    await until(() => client.ended, 'the end')
    await assertServerHoldsNothing(t, running.server)
  })

  t.test(`leaves a taker that only writes its stream, and ends it with the application, over ${over}`, async t => {
    let stream: Duplex | undefined
    const running = await start(t, { over, websocket: { shutdown: { timeout: 200 } } }, takeBy(({ raw: { socket } }) => {
      stream = socket
      socket.write(SWITCH)
    }))
    const client = await running.raw()
    t.equal((await client.upgrade('/').readResponse()).status, 101)
    client.write(Buffer.alloc(1024))
    const closed = running.app.close()
    stream?.write('still here')

    t.equal(String(await client.readBytes(10)), 'still here')
    t.equal((await client.readUntilClose()).length, 0, 'and no answer of ours')
    await t.resolves(within(closed, 'app.close()', 2 * LIMIT))
  })

  t.test(`does not take the end of a client's half for that of a taker that only writes, over ${over}`, async t => {
    const ended = deferred()
    const running = await start(t, { over }, takeBy(({ raw: { socket } }) => {
      socket.on('end', () => {
        socket.end('after the end')
        ended.resolve()
      })
      return new Promise(resolve => setImmediate(resolve)).then(() => { socket.write(SWITCH) })
    }))
    const client = await running.raw()
    t.equal((await client.upgrade('/').readResponse()).status, 101)
    client.fin()

    await within(ended.promise, 'the end')
    t.equal(String(await client.readUntilClose()), 'after the end')
    await assertServerHoldsNothing(t, running.server)
  })
}

t.test('opens the websocket as ever where a hook listens to the socket, but takes nothing', async t => {
  let seen = 0
  for (const delay of [false, true]) {
    const running = await start(t, app => {
      app.addHook('onRequest', async request => {
        if (delay) await new Promise(setImmediate)
        request.raw.socket.on('data', bytes => { seen += bytes.length })
        await new Promise(setImmediate)
      })
      app.get('/', { websocket: true }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
    })
    await assertServes(t, running)
  }
  t.ok(seen > 0)
})

t.test('lets an application count the bytes of each connection', async t => {
  let seen = 0
  const running = await start(t, app => {
    app.server.on('connection', rawSocket => { rawSocket.on('data', (bytes: Buffer) => { seen += bytes.length }) })
    app.addHook('onRequest', async () => { await new Promise(setImmediate) })
    app.get('/', { websocket: true }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
  })
  await assertServes(t, running)
  t.ok(seen > 0)
})

t.test('refuses by a response of a hook that listened to the socket before', async t => {
  const running = await start(t, app => {
    app.addHook('onRequest', async (request, reply) => {
      await new Promise(setImmediate)
      request.raw.socket.on('data', () => {})
      await reply.code(401).send('no')
    })
    app.get('/', { websocket: true }, () => {})
  })
  const client = await running.raw()

  t.match(await client.upgrade('/').readResponse(), { status: 401, body: 'no' })
  client.fin()
  await assertServerHoldsNothing(t, running.server)
})

async function assertServes (t: Test, running: Running): Promise<void> {
  const { socket, inbox } = await running.connect()
  socket.send('hello')
  t.equal(String(await inbox.next()), 'hello')
  const closed = running.app.close()
  t.equal((await inbox.closed).code, 1005)
  await closed
}
