import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket, WebSocketServer } from 'ws'
import type { WebsocketUpgrade } from '../types'
import { start, TRANSPORTS, type Running, type StartOptions } from './helpers/app'
import { deferred } from './helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { LIMIT, until, within } from './helpers/limit'
import { frame } from './helpers/raw-client'
import { assertRefusal } from './helpers/refusal'
import { connectBy, isInMemory, transportOf, WAYS } from './helpers/ways'

checkLeaksAtEnd(t)

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'

/** What an application does with a server of its own. */
function openBy (server: WebSocketServer): (request: FastifyRequest, rawSocket: Duplex, head: Buffer) => Promise<WebSocket> {
  return async ({ raw }, rawSocket, head) => await new Promise(resolve => { server.handleUpgrade(raw, rawSocket, head, resolve) })
}

async function startWith (t: Test, upgrade: WebsocketUpgrade, options: StartOptions = {}, declare: (app: FastifyInstance) => unknown = () => {}): Promise<Running> {
  return await start(t, options, async app => {
    await declare(app)
    app.get('/', { websocket: { upgrade } }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
  })
}

for (const way of WAYS) {
  t.test(`a websocket that the application opens goes on to the handler as any, over ${way}`, async t => {
    const own = new WebSocketServer({ noServer: true })
    const seen: string[] = []
    const running = await start(t, { over: transportOf(way) }, app => {
      app.decorate('word', 'of the scope')
      app.addHook('preHandler', async () => { seen.push('hook') })
      app.websocketServer.on('connection', () => { seen.push('connection') })
      app.get('/', {
        websocket: {
          async upgrade (request, rawSocket, head) {
            seen.push(`upgrade ${Reflect.get(this, 'word')} ${request.url}`)
            await sleep(1)
            return await openBy(own)(request, rawSocket, head)
          }
        }
      }, function (socket, request) {
        seen.push(`handler ${Reflect.get(this, 'word')} ${request.url} ${this.websocketServer.clients.has(socket)}`)
        socket.on('message', data => { socket.send(String(data)) })
      })
    })
    const { socket, inbox } = await connectBy(t, way, running, '/?a')
    socket.send('hello')
    t.equal(String(await inbox.next()), 'hello')
    t.same(seen, ['hook', 'upgrade of the scope /?a', 'connection', 'handler of the scope /?a true'])
    socket.close()
    await inbox.closed
    await until(() => running.app.websocketServer.clients.size === 0, 'the close')
  })

  t.test(`refuses by what upgrade throws, as a hook does, over ${way}`, async t => {
    const codes: string[] = []
    const running = await startWith(t, async () => { throw Object.assign(new Error('nobody home'), { statusCode: 502, code: 'UPSTREAM' }) }, { over: transportOf(way) }, app => {
      app.addHook('onError', async (_request, _reply, error) => { codes.push(error.code) })
    })
    await t.rejects(connectBy(t, way, running), { message: 'Unexpected server response: 502' })
    t.same(codes, ['UPSTREAM'])
    if (!isInMemory(way)) await assertRefusal(t, running, { status: 502, body: /nobody home/ })
  })
}

for (const over of TRANSPORTS) {
  t.test(`gives the application every byte that came before, the head first, over ${over}`, async t => {
    const asked = deferred()
    const go = deferred()
    let got: Buffer = Buffer.alloc(0)
    const running = await startWith(t, async (_request, rawSocket, head) => {
      asked.resolve()
      await go.promise
      // It listens late, and in another tick.
      await sleep(1)
      got = head
      rawSocket.write(SWITCH)
      rawSocket.on('data', (bytes: Buffer) => { got = Buffer.concat([got, bytes]) })
      rawSocket.on('end', () => { rawSocket.end('done') })
    }, { over }, app => {
      app.addHook('onRequest', async () => { await new Promise(setImmediate) })
    })
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_each, index) => index % 251))
    const client = await running.raw()
    client.upgrade('/').write(bytes.subarray(0, 50_000))
    await within(asked.promise, 'upgrade')
    client.write(bytes.subarray(50_000, 150_000))
    go.resolve()
    t.equal((await client.readResponse()).status, 101)
    client.write(bytes.subarray(150_000)).fin()
    t.equal(String(await client.readUntilClose()), 'done')
    t.ok(got.equals(bytes), 'nothing is lost, doubled or out of order')
    await assertServerHoldsNothing(t, running.server)
  })

  t.test(`gives the handler the frames that came before, over ${over}`, async t => {
    const own = new WebSocketServer({ noServer: true })
    for (const delay of [0, 1]) {
      const running = await startWith(t, openBy(own), { over }, app => {
        if (delay > 0) app.addHook('onRequest', async () => { await sleep(20) })
      })
      const client = await running.raw()
      client.upgrade('/').write(Buffer.concat(['a', 'b', 'c'].map(text => frame('text', text))))
      t.equal((await client.readResponse()).status, 101)
      for (const text of ['a', 'b', 'c']) t.equal(String((await client.readFrame()).payload), text)
    }
  })

  t.test(`leaves the raw socket to the application, and ends it with the application, over ${over}`, async t => {
    let stream: Duplex | undefined
    const running = await startWith(t, (_request, rawSocket) => { stream = rawSocket }, { over, websocket: { shutdown: { timeout: 200 } } })
    const client = await running.raw()
    client.upgrade('/')
    await until(() => stream, 'upgrade')
    await new Promise(setImmediate)
    const closed = running.app.close()
    stream?.write('mine')

    t.equal(String(await client.readBytes(4)), 'mine')
    t.equal((await client.readUntilClose()).length, 0, 'and no answer of ours')
    await t.resolves(within(closed, 'app.close()', 2 * LIMIT))
  })

  t.test(`cuts what upgrade has begun to answer when it throws, over ${over}`, async t => {
    const running = await startWith(t, async (_request, rawSocket) => {
      rawSocket.write('HTTP/1.1 101 ')
      throw new Error('half way')
    }, { over })
    const client = await running.raw()
    client.upgrade('/')
    t.ok('HTTP/1.1 101 '.startsWith(String(await client.readUntilClose())), 'and no answer of ours')
    t.match(await running.logged('half way'), { level: 50 })
    await assertServerHoldsNothing(t, running.server)
  })

  t.test(`refuses where upgrade has read, and throws, over ${over}`, async t => {
    let isReading = false
    const running = await startWith(t, async (_request, rawSocket) => {
      const data = once(rawSocket, 'data')
      isReading = true
      await data
      throw Object.assign(new Error('not these'), { statusCode: 400 })
    }, { over })
    const client = await running.raw()
    client.upgrade('/')
    // What comes with the request is its head, and not read from the socket.
    await until(() => isReading, 'upgrade')
    client.write('bytes')
    t.match(await client.readResponse(), { status: 400, body: /not these/, headers: { connection: 'close' } })
    client.fin()
    await assertServerHoldsNothing(t, running.server)
  })
}

t.test('closes a websocket that the application opened as any when the application closes', async t => {
  const own = new WebSocketServer({ noServer: true, clientTracking: false })
  for (const clientTracking of [true, false]) {
    const running = await startWith(t, openBy(own), { websocket: { options: { clientTracking }, shutdown: { code: 1001, timeout: 200 } } })
    const { inbox } = await running.connect()
    const silent = await running.raw()
    t.equal((await silent.upgrade('/').readResponse()).status, 101)
    const ended = once(running.app.websocketServer, 'close')
    const closed = running.app.close()
    t.equal((await inbox.closed).code, 1001)
    await t.resolves(within(closed, 'app.close()', 2 * LIMIT), 'and cuts who does not answer')
    await within(ended, "the server's close")
  }
})

t.test("opens by the plugin's own server too, with what hooks have set on the reply", async t => {
  const running = await startWith(t, async function (request, rawSocket, head) {
    return await new Promise<WebSocket>(resolve => { this.websocketServer.handleUpgrade(request.raw, rawSocket, head, resolve) })
  }, {}, app => { app.addHook('onRequest', async (_request, reply) => { reply.header('x-hook', 'set') }) })
  const client = await running.raw()
  t.match(await client.upgrade('/').write(frame('text', 'hello')).readResponse(), { status: 101, headers: { 'x-hook': 'set' } })
  t.equal(String((await client.readFrame()).payload), 'hello')
  t.equal(running.app.websocketServer.clients.size, 1)
})

t.test('takes what is opened for a client that has left, or has been refused meanwhile, for what it is', async t => {
  const own = new WebSocketServer({ noServer: true })
  const asked = deferred()
  const go = deferred()
  let left: WebSocket | undefined
  let handled = 0
  const running = await start(t, app => {
    app.get('/', {
      websocket: {
        async upgrade (request, rawSocket, head) {
          const socket = await openBy(own)(request, rawSocket, head)
          left = socket
          asked.resolve()
          if (request.url === '/?closed') await once(socket, 'close')
          else await go.promise
          return socket
        }
      }
    }, () => { handled++ })
  })
  const gone = (await running.raw()).upgrade('/?gone')
  await within(asked.promise, 'upgrade')
  gone.reset()
  await until(() => left?.readyState === WebSocket.CLOSED, 'the reset')
  go.resolve()
  await new Promise(setImmediate)
  const { socket, inbox } = await running.connect('/?closed')
  socket.close()
  await inbox.closed
  await assertServerHoldsNothing(t, running.server)
  t.equal(handled, 0)
  t.equal(running.app.websocketServer.clients.size, 0)
})

t.test('does not ask for a client that has left in the hooks, and ends what is opened for one that was refused', async t => {
  const own = new WebSocketServer({ noServer: true })
  const inUpgrade = deferred()
  const go = deferred()
  const opened: WebSocket[] = []
  let asked = 0
  const running = await startWith(t, async () => {
    asked++
    inUpgrade.resolve()
    await go.promise
    const socket = new WebSocket('ws://127.0.0.1:1')
    socket.on('error', () => {})
    opened.push(socket)
    return socket
  }, { websocket: { maxConnections: { key: async request => { if (request.url === '/?slow') { await once(request.signal, 'abort') } }, perKey: 1 } } })
  const gone = (await running.raw()).upgrade('/?slow')
  await running.logged('incoming request')
  gone.reset()
  await assertServerHoldsNothing(t, running.server)
  t.equal(asked, 0)

  const refused = (await running.raw()).upgrade('/')
  await within(inUpgrade.promise, 'upgrade')
  const closed = running.app.close()
  t.equal((await refused.readResponse()).status, 503)
  go.resolve()
  await until(() => opened[0]?.readyState === WebSocket.CLOSED || opened[0]?.readyState === WebSocket.CLOSING, 'the end')
  await within(closed, 'app.close()')
  own.close()
})

t.test('does not ask for a client that leaves in the very moment', async t => {
  const running = await startWith(t, () => { t.fail('it is asked') }, {}, app => {
    app.addHook('preHandler', (request, _reply, done) => {
      process.nextTick(() => { request.raw.socket.destroy() })
      done()
    })
  })
  await t.rejects(running.app.injectWS('/'), { code: 'FST_WS_INJECT_FAILED' })
})

t.test('a websocket that is closed before it is given is none', async t => {
  const closed = new WebSocket('ws://127.0.0.1:1')
  closed.on('error', () => {})
  await new Promise(resolve => { closed.on('close', resolve) })
  let handled = false
  const running = await start(t, { websocket: { shutdown: { timeout: 50 } } }, app => {
    app.get('/', { websocket: { upgrade: () => closed } }, () => { handled = true })
  })
  const client = (await running.raw()).upgrade('/')
  await running.logged('incoming request')
  await new Promise(setImmediate)
  await running.app.close()
  t.equal((await client.readUntilClose()).length, 0)
  t.notOk(handled)
})

t.test('refuses where upgrade gives what is no websocket', async t => {
  for (const wrong of [{}, 'socket', true, new EventTarget()]) {
    const running = await startWith(t, Reflect.apply(Function.prototype.bind, () => wrong, [undefined]))
    await assertRefusal(t, running, { status: 500, body: /FST_WS_INVALID_UPGRADE_RESULT/, clients: 1 })
  }
})
