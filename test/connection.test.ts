import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { WebSocket, WebSocketServer } from 'ws'
import { type Connection, createConnectionOpener, failLater } from '../src/connection'
import { readMessages } from '../src/extras/testing'
import type { WebsocketErrorHandler, WebsocketHandler, WebsocketPluginOptions } from '../types'
import { start, type Running } from './helpers/app'
import { deferred } from './helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { frame } from './helpers/raw-client'
import { assertRefusal } from './helpers/refusal'

checkLeaksAtEnd(t)

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

async function serve (t: Test, handler: WebsocketHandler, websocket: WebsocketPluginOptions = {}): Promise<Running> {
  return await start(t, { websocket }, app => {
    app.get('/', { websocket: true }, handler)
    app.get('/echo', { websocket: true }, socket => { socket.on('message', data => socket.send(String(data))) })
  })
}

async function assertServes (t: Test, running: Running): Promise<void> {
  const { socket, inbox } = await running.connect('/echo')
  socket.send('still here')
  t.equal(String(await inbox.next()), 'still here')
}

/** Not a promise, but what await takes for one. */
function thenable (then: (onResolve: () => void, onReject: (error: Error) => void) => void): Promise<void> {
  return Object.assign(Object.create(null), { then })
}

/** Ways of a handler to fail with 'by the handler'. */
const failures: Record<string, WebsocketHandler> = {
  throws: () => { throw new Error('by the handler') },
  rejects: async () => { throw new Error('by the handler') },
  'gives a thenable that rejects': () => thenable((_onResolve, onReject) => { onReject(new Error('by the handler')) }),
  'gives a thenable that throws': () => thenable(() => { throw new Error('by the handler') })
}

for (const [name, handler] of Object.entries(failures)) {
  t.test(`logs the error and cuts the connection of a handler that ${name}`, async t => {
    const running = await serve(t, handler)
    const { inbox } = await running.connect()

    t.equal((await inbox.closed).code, 1006)
    t.match(await running.logged('by the handler'), { level: 50, reqId: 'req-1' })
    await assertServerHoldsNothing(t, running.server)
  })

  t.test(`tells the errorHandler of a handler that ${name}`, async t => {
    const told = deferred<unknown[]>()
    const running = await serve(t, handler, {
      errorHandler (this: FastifyInstance, ...args: [error: Error, socket: WebSocket, request: FastifyRequest, reply: FastifyReply]) {
        args[1].close(4000, args[0].message)
        told.resolve([this, ...args])
      }
    })
    const { inbox } = await running.connect('/?a=b')

    t.same(await inbox.closed, { code: 4000, reason: 'by the handler' })
    const [instance, error, socket, request, reply] = await told.promise
    t.equal(instance, running.app)
    t.match(error, { message: 'by the handler' })
    t.ok(socket instanceof WebSocket)
    t.match(request, { query: { a: 'b' } })
    t.equal((reply as FastifyReply).request, request)
  })
}

t.test('what fails later than the handler ends as what the handler throws', async t => {
  const told: unknown[] = []
  for (const errorHandler of [undefined, (error: Error) => { told.push(error.message) }]) {
    const running = await serve(t, socket => {
      socket.on('message', () => { failLater(socket, new Error('later')) })
    }, errorHandler && { errorHandler })
    const { socket, inbox } = await running.connect()
    socket.send('fail')
    if (errorHandler === undefined) {
      t.equal((await inbox.closed).code, 1006)
      t.equal(running.log.find(({ err }) => err?.message === 'later')?.level, 50)
    } else {
      await until(() => told.length > 0, 'an error')
      t.equal(socket.readyState, WebSocket.OPEN)
    }
  }
  t.strictSame(told, ['later'])
})

t.test('tells the errorHandler of an error of the socket', async t => {
  const told = deferred<Error>()
  const running = await serve(t, () => {}, { errorHandler: error => { told.resolve(error) } })
  const client = await running.raw()
  await client.upgrade('/').readResponse()

  client.write(frame('text', 'not masked', { mask: false }))

  t.match(await within(told.promise, 'the error'), { code: 'WS_ERR_EXPECTED_MASK' })
})

const brokenErrorHandlers: Record<string, WebsocketErrorHandler> = {
  throws: () => { throw new Error('by the errorHandler') },
  rejects: async () => { throw new Error('by the errorHandler') }
}

for (const [name, errorHandler] of Object.entries(brokenErrorHandlers)) {
  t.test(`logs both errors and cuts the connection where the errorHandler ${name}`, async t => {
    for (const handler of [...Object.values(failures), (socket: WebSocket) => { setImmediate(() => socket.emit('error', new Error('by the handler'))) }]) {
      const running = await serve(t, handler, { errorHandler })
      const { inbox } = await running.connect()

      t.equal((await inbox.closed).code, 1006)
      t.match(await running.logged('by the handler'), { level: 50 })
      t.match(await running.logged('by the errorHandler'), { level: 50 })
      await assertServes(t, running)
    }
  })
}

t.test('survives what is thrown and is no error', async t => {
  for (const thrown of [undefined, null, 'text', 0]) {
    const running = await serve(t, () => { throw thrown }, { errorHandler: async () => { throw thrown } })
    const { inbox } = await running.connect()

    t.equal((await inbox.closed).code, 1006)
    await assertServes(t, running)
  }
})

t.test('is content with an errorHandler that does nothing, at once or later', async t => {
  for (const errorHandler of [() => {}, async () => {}]) {
    const running = await serve(t, socket => {
      socket.on('message', data => socket.send(String(data)))
      throw new Error('by the handler')
    }, { errorHandler })
    const { socket, inbox } = await running.connect()

    socket.send('hello')

    t.equal(String(await inbox.next()), 'hello')
  }
})

t.test("emits 'connection' on the websocketServer, then runs the handler", async t => {
  const calls: unknown[] = []
  const running = await serve(t, (socket, request) => { calls.push('handler', socket, request.raw) })
  running.app.websocketServer.on('connection', (socket, rawRequest) => { calls.push('connection', socket, rawRequest) })

  await running.connect()
  await until(() => calls.length === 6, 'both calls')

  t.equal(calls[0], 'connection')
  t.equal(calls[3], 'handler')
  t.equal(calls[1], calls[4])
  t.equal(calls[2], calls[5])
})

t.test("tells the errorHandler of a 'connection' listener that throws, and does not run the handler", async t => {
  let handled = false
  const told = deferred<Error>()
  const running = await serve(t, () => { handled = true }, {
    errorHandler: (error, socket) => {
      told.resolve(error)
      socket.terminate()
    }
  })
  running.app.websocketServer.on('connection', () => { throw new Error('by a listener') })

  const { inbox } = await running.connect()

  t.equal((await inbox.closed).code, 1006)
  t.match(await told.promise, { message: 'by a listener' })
  t.notOk(handled)
})

const violations: Array<[code: number, bytes: Buffer]> = [
  [1002, frame('text', 'not masked', { mask: false })],
  [1002, frame('text', 'reserved bits', { rsv: 7 })],
  [1007, frame('text', Buffer.of(0xff, 0xfe))],
  [1009, frame('text', Buffer.alloc(65))]
]

for (const [code, bytes] of violations) {
  t.test(`lets the close code ${code} of ws through, and logs the error`, async t => {
    const running = await serve(t, () => {}, { options: { maxPayload: 64 } })
    const client = await running.raw()
    await client.upgrade('/').readResponse()

    client.write(bytes)

    const { opcode, payload } = await client.readFrame()
    t.equal(opcode, 8)
    t.equal(payload.readUInt16BE(), code)
    await until(() => running.log.some(({ level }) => level === 50), 'the log line')
    client.fin()
    await assertServerHoldsNothing(t, running.server)
  })
}

t.test('lets a listener of the application choose the close code', async t => {
  const running = await serve(t, socket => {
    socket.once('error', error => { socket.close(4500, error.message) })
  })
  const { inbox } = await running.connect()

  for (const client of running.app.websocketServer.clients) client.emit('error', new Error("I'm a teapot"))

  t.same(await inbox.closed, { code: 4500, reason: "I'm a teapot" })
  t.match(await running.logged("I'm a teapot"), { level: 50 })
})

t.test('cuts a connection that is still open a while after an error of the socket', async t => {
  const running = await serve(t, () => {})
  const silent = await running.raw()
  await silent.upgrade('/').readResponse()
  silent.write(frame('text', 'not masked', { mask: false }))
  const { inbox } = await running.connect()

  for (const client of running.app.websocketServer.clients) client.emit('error', new Error('nobody closes'))

  t.equal((await inbox.closed).code, 1006)
  await assertServerHoldsNothing(t, running.server)
})

t.test('logs an error of the handshake, and refuses the upgrade', async t => {
  let handled = false
  const running = await serve(t, () => { handled = true })
  running.app.websocketServer.on('headers', () => { throw new Error('by a listener') })
  const client = await running.raw()

  const { status, body } = await client.upgrade('/').readResponse()

  t.equal(status, 500)
  t.match(JSON.parse(body), { code: 'FST_WS_HANDSHAKE_FAILED' })
  t.match(await running.logged('by a listener'), { level: 50, reqId: 'req-1' })
  t.notOk(handled)
})

t.test('does not run the handler for a client that left while a hook ran', async t => {
  for (const way of ['fin', 'reset'] as const) {
    const left = deferred()
    const released = deferred()
    let handled = false
    const verifyClient = () => { handled = true; return true }
    const running = await start(t, { websocket: { options: { verifyClient } } }, app => {
      app.addHook('onRequestAbort', async _request => { left.resolve() })
      app.addHook('preHandler', async request => {
        const { signal } = request
        client[way]()
        await left.promise
        t.ok(signal.aborted)
        released.resolve()
      })
      app.get('/', { websocket: true }, () => { handled = true })
    })
    const client = await running.raw()
    client.upgrade('/')

    await within(released.promise, 'onRequestAbort')
    await assertServerHoldsNothing(t, running.server)
    await new Promise(setImmediate)
    t.notOk(handled)
    await within(running.app.close(), 'app.close()')
  }
})

t.test('leaves upgrades alone that the application hands to the websocketServer itself', async t => {
  const { app } = await serve(t, () => {})
  const httpServer = createServer()
  httpServer.on('upgrade', (rawRequest, rawSocket, head) => {
    app.websocketServer.handleUpgrade(rawRequest, rawSocket, head, socket => { socket.send('by hand') })
  })
  t.teardown(() => httpServer.close())
  await once(httpServer.listen(0, '127.0.0.1'), 'listening')

  const socket = new WebSocket(`ws://127.0.0.1:${(httpServer.address() as AddressInfo).port}`)
  t.teardown(() => socket.terminate())

  t.equal(String(await readMessages(socket).next()), 'by hand')
})

const retained: Record<string, [handler: WebsocketHandler, options?: WebsocketPluginOptions['options']]> = {
  'a handler that returns at once': [() => {}],
  'an async handler that has settled': [async () => { await null }],
  'a verifyClient that took its time': [() => {}, { verifyClient: async () => { await null; return true } }],
  'a verifyClient that calls back later': [() => {}, { verifyClient: (_info, answer) => { setImmediate(answer, true) } }],
  'clientTracking: false': [() => {}, { clientTracking: false }]
}

for (const [name, [handler, options]] of Object.entries(retained)) {
  t.test(`keeps nothing of the request alive while the connection is open, with ${name}`, async t => {
    const held: Record<string, WeakRef<object>> = {}
    const running = await serve(t, function (socket, request) {
      held.request = new WeakRef(request)
      held.rawRequest = new WeakRef(request.raw)
      return handler.call(this, socket, request)
    }, { options })
    const { socket } = await running.connect('/')

    const isAlive = () => Object.keys(held).filter(key => held[key]?.deref() !== undefined)
    await until(() => {
      collectGarbage()
      return isAlive().length === 0
    }, 'the end of the request').catch(() => {})

    t.strictSame(Object.keys(held), ['request', 'rawRequest'])
    t.strictSame(isAlive(), [], 'nothing is alive')
    t.equal(socket.readyState, socket.OPEN)
  })
}

for (const isAdmitted of [true, false]) {
  t.test(`${isAdmitted ? 'opens' : 'refuses'} a connection whose policy ${isAdmitted ? 'admits' : 'does not admit'} it, by the way of any error`, async t => {
    const running = await start(t, app => {
      const openConnection = createConnectionOpener(app.websocketServer, undefined, 1000)
      const admit = async (): Promise<void> => { if (!isAdmitted) throw Object.assign(new Error('not you'), { statusCode: 403 }) }
      const handler = (socket: WebSocket): void => { socket.send('hello') }
      app.addHook('preHandler', async (request, reply) => { await openConnection(app, { handler, policies: [{ admit }], admissions: [admit], handshake: undefined, takeOver: undefined }, request, reply) })
      app.get('/', { websocket: true }, () => {})
    })
    if (isAdmitted) t.equal(String(await (await running.connect()).inbox.next()), 'hello')
    else await assertRefusal(t, running, { status: 403, body: /not you/ })
  })
}

t.test('gives a policy of an open connection the end of every error', async t => {
  const running = await start(t, app => {
    const openConnection = createConnectionOpener(app.websocketServer, undefined, 1000)
    const open = ({ socket, fail }: Connection): undefined => { socket.once('message', () => { fail(new Error('the policy says so')) }) }
    app.addHook('preHandler', async (request, reply) => { await openConnection(app, { handler: () => {}, policies: [{ open }], admissions: [], handshake: undefined, takeOver: undefined }, request, reply) })
    app.get('/', { websocket: true }, () => {})
  })
  const { socket, inbox } = await running.connect()
  socket.send('x')

  t.equal((await inbox.closed).code, 1006)
  t.match(await running.logged('the policy says so'), { level: 50 })
})

t.test('gives a websocket that the application opens in the place of ws to the handler, and its errors to the errorHandler', async t => {
  const own = new WebSocketServer({ noServer: true })
  const failed = deferred<unknown[]>()
  const raw = deferred()
  const running = await start(t, { websocket: { errorHandler (error, socket, request) { failed.resolve([error.message, request.url, socket.readyState]) } } }, app => {
    app.get('/', {
      websocket: {
        async upgrade (request, rawSocket, head) {
          if (request.url === '/?raw') return raw.resolve()
          return await new Promise<WebSocket>(resolve => { own.handleUpgrade(request.raw, rawSocket, head, resolve) })
        }
      }
    }, () => { throw new Error('by the handler') })
  })
  await running.connect()
  t.strictSame(await failed.promise, ['by the handler', '/', 1])
  const client = (await running.raw()).upgrade('/?raw')
  await within(raw.promise, 'upgrade')
  await new Promise(setImmediate)
  client.reset()
})
