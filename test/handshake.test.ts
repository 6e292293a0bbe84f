import t, { type Test } from 'tap'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { WebSocket, type ServerOptions } from 'ws'
import { createHandshaker } from '../src/handshake'
import { upgradeOf } from '../src/upgrade'
import type { HandleProtocols, VerifyClient, WebsocketPluginOptions } from '../types'
import { start, type Declare, type Running } from './helpers/app'
import { deferred } from './helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'

checkLeaksAtEnd(t)

type Callback = Parameters<VerifyClient>[1]

/** An application that answers every message with the message. */
async function startEcho (t: Test, websocket: WebsocketPluginOptions, declare: Declare = () => {}): Promise<Running> {
  return await start(t, { websocket }, async app => {
    app.get('/', { websocket: true }, socket => {
      socket.on('message', data => socket.send(String(data)))
    })
    await declare(app)
  })
}

async function assertOpens (t: Test, running: Running): Promise<void> {
  const { socket, inbox } = await running.connect()
  socket.send('hello')
  t.equal(String(await inbox.next()), 'hello')
}

async function assertRefused (t: Test, running: Running, status: number, headers?: Record<string, string | undefined>): Promise<string> {
  const client = await running.raw()
  const response = await client.upgrade('/', headers).readResponse()
  t.equal(response.status, status)
  client.fin()
  await assertServerHoldsNothing(t, running.server)
  return response.body
}

function optionsOf (app: FastifyInstance): ServerOptions {
  return app.websocketServer.options
}

const acceptors: Record<string, VerifyClient> = {
  'returns true': () => true,
  'returns a promise of true': async () => true,
  'calls back with true at once': (_info: unknown, answer: Callback) => { answer(true) },
  'calls back with true later': (_info: unknown, answer: Callback) => { setImmediate(answer, true) },
  'is async, and calls back': async (_info: unknown, answer: Callback) => {
    await null
    answer(true)
    return false
  }
}

for (const [name, verifyClient] of Object.entries(acceptors)) {
  t.test(`lets a client in whose verifyClient ${name}`, async t => {
    await assertOpens(t, await startEcho(t, { options: { verifyClient } }))
  })
}

const refusers: Record<string, [VerifyClient, number]> = {
  'returns false': [() => false, 401],
  'returns a promise of false': [async () => false, 401],
  'calls back with false at once': [(_info: unknown, answer: Callback) => { answer(false) }, 401],
  'calls back with a status later': [(_info: unknown, answer: Callback) => { setImmediate(answer, false, 403, 'no entry') }, 403],
  throws: [() => { throw new Error('by verifyClient') }, 500],
  'rejects its promise': [async () => { throw new Error('by verifyClient') }, 500],
  'takes a callback and throws': [(_info: unknown, _answer: Callback) => { throw new Error('by verifyClient') }, 500],
  'takes a callback and rejects': [async (_info: unknown, _answer: Callback) => { throw new Error('by verifyClient') }, 500],
  'lets the client in and throws then': [(_info: unknown, answer: Callback) => { answer(true); throw new Error('by verifyClient') }, 500],
  'calls back with a status that there is not': [(_info: unknown, answer: Callback) => { answer(false, 99) }, 500]
}

for (const [name, [verifyClient, status]] of Object.entries(refusers)) {
  t.test(`refuses a client whose verifyClient ${name}`, async t => {
    const running = await startEcho(t, { options: { verifyClient } })

    const body = await assertRefused(t, running, status)

    if (status === 500) {
      t.match(JSON.parse(body), { statusCode: 500, code: 'FST_WS_HANDSHAKE_FAILED', message: 'the websocket handshake failed' })
      t.match(await running.logged(/by verifyClient|must be/), { level: 50 })
    }
  })
}

t.test('refuses a client whose verifyClient never answers', async t => {
  const silences: VerifyClient[] = [() => new Promise<boolean>(() => {}), (_info: unknown, _answer: Callback) => {}]
  for (const verifyClient of silences) {
    const running = await startEcho(t, { handshakeTimeout: 50, options: { verifyClient } })

    const body = await assertRefused(t, running, 503)

    t.match(JSON.parse(body), { code: 'FST_WS_HANDSHAKE_TIMEOUT', message: 'the websocket handshake was not answered within 50 ms' })
  }
})

t.test('ignores an answer of verifyClient after the limit', async t => {
  const asked = deferred<Socket>()
  const answer = deferred<boolean>()
  const running = await startEcho(t, {
    handshakeTimeout: 50,
    options: {
      verifyClient: ({ req }: { req: IncomingMessage }) => {
        asked.resolve(req.socket)
        return answer.promise
      }
    }
  })
  const client = (await running.raw()).upgrade('/')
  const rawSocket = await within(asked.promise, 'verifyClient')
  t.equal((await client.readResponse()).status, 503)

  answer.resolve(true)
  await new Promise(setImmediate)

  t.notOk(rawSocket.destroyed, 'it lingers until the client has read its refusal')
  client.fin()
  await assertServerHoldsNothing(t, running.server)
})

t.test('counts the first answer of verifyClient only', async t => {
  for (const [first, second] of [[true, false], [false, true]] as const) {
    for (const later of [false, true]) {
      const running = await startEcho(t, {
        options: {
          verifyClient (_info: unknown, answer: Callback) {
            const answerTwice = () => { answer(first); answer(second) }
            if (later) setImmediate(answerTwice)
            else answerTwice()
          }
        }
      })
      if (first) await assertOpens(t, running)
      else await assertRefused(t, running, 401)
    }
  }
})

t.test('holds nothing of a client that left before verifyClient answers, whatever the answer is', async t => {
  for (const way of ['fin', 'reset'] as const) {
    for (const settle of ['resolve', 'reject'] as const) {
      const asked = deferred()
      const answer = deferred<boolean>()
      const running = await startEcho(t, {
        options: {
          verifyClient: () => {
            asked.resolve()
            return answer.promise
          }
        }
      })
      const client = await running.raw()
      client.upgrade('/')
      await within(asked.promise, 'verifyClient')
      client[way]()
      await assertServerHoldsNothing(t, running.server)

      if (settle === 'reject') answer.reject(new Error('too late'))
      else answer.resolve(true)
      await new Promise(setImmediate)

      t.equal(running.app.websocketServer.clients.size, 0)
      if (settle === 'reject') await running.logged('too late')
      await within(running.app.close(), 'app.close()')
    }
  }
})

t.test('does not tell the request of an abort when the client leaves after its refusal', async t => {
  let isAborted = false
  const running = await startEcho(t, { options: { verifyClient: () => false } }, app => {
    app.addHook('onRequestAbort', async _request => { isAborted = true })
  })
  running.app.websocketServer.on('wsClientError', (_error: Error, rawSocket: Socket) => {
    rawSocket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })

  await assertRefused(t, running, 401)
  await assertRefused(t, running, 418, { 'Sec-WebSocket-Key': 'short' })
  await within(running.app.close(), 'app.close()')

  t.notOk(isAborted)
})

t.test('asks verifyClient as ws does', async t => {
  const calls: unknown[] = []
  const running = await startEcho(t, {
    options: {
      verifyClient (this: unknown, ...args: unknown[]) {
        calls.push(this, ...args)
        return true
      }
    }
  })

  await running.connect('/', { origin: 'http://example.com' })

  t.equal(calls[0], optionsOf(running.app))
  t.match(calls[1], { origin: 'http://example.com', secure: false, req: { url: '/' } })
  t.equal(calls.length, 2)
})

t.test('speaks the protocol that handleProtocols chooses', async t => {
  let asked: unknown
  const running = await startEcho(t, {
    options: {
      handleProtocols (this: unknown, protocols, request) {
        asked = [this, [...protocols], request.url]
        return 'two'
      }
    }
  })

  const { socket } = await running.connect('/', { protocols: ['one', 'two'] })

  t.equal(socket.protocol, 'two')
  t.strictSame(asked, [optionsOf(running.app), ['one', 'two'], '/'])
})

t.test('refuses where handleProtocols throws or rejects', async t => {
  const failures: HandleProtocols[] = [
    () => { throw new Error('by handleProtocols') },
    async () => { throw new Error('by handleProtocols') }
  ]
  for (const handleProtocols of failures) {
    for (const verifyClient of [undefined, async () => true]) {
      const running = await startEcho(t, { options: { handleProtocols, verifyClient } })

      await assertRefused(t, running, 500, { 'Sec-WebSocket-Protocol': 'one' })

      await running.logged('by handleProtocols')
    }
  }
})

t.test('speaks what handleProtocols chooses later, and asks once the client is verified', async t => {
  const asked: string[] = []
  const running = await startEcho(t, {
    options: {
      verifyClient: async ({ req }: { req: IncomingMessage }) => {
        asked.push('verify')
        return req.url !== '/?no'
      },
      handleProtocols: async protocols => {
        asked.push('choose')
        await new Promise(setImmediate)
        return protocols.has('none') ? false : 'two'
      }
    }
  })

  t.equal((await running.connect('/', { protocols: ['one', 'two'] })).socket.protocol, 'two')
  const client = await running.raw()
  t.equal((await client.upgrade('/', { 'Sec-WebSocket-Protocol': 'none' }).readResponse()).headers['sec-websocket-protocol'], undefined)
  await assertOpens(t, running)
  await t.rejects(running.connect('/?no', { protocols: 'one' }), { message: 'Unexpected server response: 401' })
  t.strictSame(asked, ['verify', 'choose', 'verify', 'choose', 'verify', 'verify'])
})

t.test('waits for verifyClient and handleProtocols together no longer than the limit', async t => {
  const answers = [deferred<boolean>(), deferred<string>()] as const
  const running = await startEcho(t, { handshakeTimeout: 100, options: { verifyClient: () => answers[0].promise, handleProtocols: () => answers[1].promise } })
  const client = (await running.raw()).upgrade('/', { 'Sec-WebSocket-Protocol': 'one' })
  answers[0].resolve(true)

  const { status, body } = await client.readResponse()

  t.equal(status, 503)
  t.match(JSON.parse(body), { code: 'FST_WS_HANDSHAKE_TIMEOUT' })
  answers[1].resolve('one')
  client.fin()
  await assertServerHoldsNothing(t, running.server)
})

t.test('sees a client leave while handleProtocols is pending', async t => {
  const asked = deferred()
  const running = await startEcho(t, {
    options: {
      handleProtocols () {
        asked.resolve()
        return new Promise(() => {})
      }
    }
  })
  const client = (await running.raw()).upgrade('/', { 'Sec-WebSocket-Protocol': 'one' })
  await within(asked.promise, 'handleProtocols')

  client.fin()

  await assertServerHoldsNothing(t, running.server)
})

t.test("lets a client in without compression that asks for another one than 'safe'", async t => {
  const running = await start(t, { websocket: { options: { perMessageDeflate: 'safe' } } }, app => {
    const shakeHands = createHandshaker(app.websocketServer, 1000)
    const options: ServerOptions = { maxPayload: 5 }
    app.addHook('preHandler', async (request, reply) => {
      const upgrade = upgradeOf(request.raw)
      if (upgrade === undefined || request.url === '/server') return
      reply.hijack()
      shakeHands({ upgrade, options, onOpen: () => {}, onFailure: () => {} })
    })
    app.get('/*', { websocket: true }, () => {})
  })
  for (const path of ['/server', '/options']) {
    for (const [offer, answer] of [['permessage-deflate; client_max_window_bits', /permessage-deflate/], ['permessage-deflate', undefined]] as const) {
      for (let i = 0; i < 2; i++) {
        const { status, headers } = await (await running.raw()).upgrade(path, { 'Sec-WebSocket-Extensions': offer }).readResponse()
        t.equal(status, 101)
        t.match(headers['sec-websocket-extensions'], answer)
      }
    }
  }
})

t.test("refuses where a 'headers' listener throws", async t => {
  for (const verifyClient of [undefined, async () => true]) {
    const running = await startEcho(t, { options: { verifyClient } }, app => {
      app.websocketServer.on('headers', () => { throw new Error('by a listener') })
    })

    await assertRefused(t, running, 500)

    t.match(await running.logged('by a listener'), { level: 50 })
  }
})

t.test('opens sockets of the class that the application gives', async t => {
  class Custom extends WebSocket {}
  const served = deferred<WebSocket>()
  const running = await start(t, { websocket: { options: { WebSocket: Custom } } }, app => {
    app.get('/', { websocket: true }, socket => { served.resolve(socket) })
  })

  await running.connect()

  t.ok(await served.promise instanceof Custom)
})

t.test('refuses where the class that the application gives throws', async t => {
  class Broken extends WebSocket {
    readonly broken = (() => { throw new Error('by the class') })()
  }
  const running = await startEcho(t, { options: { WebSocket: Broken } })

  await assertRefused(t, running, 500)

  await running.logged('by the class')
})

t.test('refuses a handshake that ws finds wrong', async t => {
  const running = await startEcho(t, {})

  await assertRefused(t, running, 400, { 'Sec-WebSocket-Key': 'short' })
  await assertRefused(t, running, 400, { 'Sec-WebSocket-Version': '7' })
  await assertOpens(t, running)
})

t.test("lets a 'wsClientError' listener answer in its own way, at once or later", async t => {
  for (const defer of [(answer: () => void) => { answer() }, setImmediate]) {
    const running = await startEcho(t, {}, app => {
      app.websocketServer.on('wsClientError', (error: Error, rawSocket: Socket) => {
        defer(() => { rawSocket.end(`HTTP/1.1 418 ${error.message}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`) })
      })
    })

    await assertRefused(t, running, 418, { 'Sec-WebSocket-Key': 'short' })
  }
})

t.test("refuses where a 'wsClientError' listener never answers, or throws", async t => {
  const listeners: Array<[() => void, number]> = [[() => {}, 503], [() => { throw new Error('by a listener') }, 500]]
  for (const [listener, status] of listeners) {
    const running = await startEcho(t, { handshakeTimeout: 50 }, app => { app.websocketServer.on('wsClientError', listener) })

    await assertRefused(t, running, status, { 'Sec-WebSocket-Key': 'short' })
  }
})

t.test('uses what the application assigns to the options at run time', async t => {
  const running = await startEcho(t, {}, app => {
    Object.assign(optionsOf(app), { handleProtocols: () => 'two', verifyClient: async () => true })
  })
  const { socket } = await running.connect('/', { protocols: ['one', 'two'] })
  t.equal(socket.protocol, 'two')

  Object.assign(optionsOf(running.app), { verifyClient: async () => false })
  await running.raw()
  await t.rejects(running.connect(), { message: 'Unexpected server response: 401' })

  Object.assign(optionsOf(running.app), { verifyClient: null, handleProtocols: undefined })
  await assertOpens(t, running)
})

t.test("leaves the options as the application's, while verifyClient is pending too", async t => {
  const asked = deferred()
  const answer = deferred<boolean>()
  const verifyClient = () => {
    asked.resolve()
    return answer.promise
  }
  const handleProtocols = () => 'one'
  const running = await startEcho(t, { options: { verifyClient, handleProtocols } })
  const { socket } = running.dial()
  await within(asked.promise, 'verifyClient')

  t.match(optionsOf(running.app), { verifyClient, handleProtocols })
  answer.resolve(true)
  await within(once(socket, 'open'), 'open')
  t.match(optionsOf(running.app), { verifyClient, handleProtocols })
})

t.test('keeps what verifyClient, handleProtocols or a handler assigns to the options', async t => {
  const verifiers: VerifyClient[] = [() => true, async () => true, (_info: unknown, answer: Callback) => { answer(true) }]
  for (const verifyClient of verifiers) {
    const later = () => 'later'
    const running = await start(t, { websocket: { options: { verifyClient, handleProtocols: () => 'first' } } }, app => {
      app.get('/', { websocket: true }, function () {
        Object.assign(optionsOf(this), { handleProtocols: later, verifyClient: undefined })
      })
    })

    await running.connect('/', { protocols: 'first' })

    t.match(optionsOf(running.app), { handleProtocols: later, verifyClient: undefined })
  }

  const running = await startEcho(t, {
    options: {
      verifyClient (this: ServerOptions) {
        this.verifyClient = () => false
        return true
      },
      handleProtocols (this: ServerOptions) {
        delete this.handleProtocols
        return 'one'
      }
    }
  })
  await running.connect('/', { protocols: 'one' })
  t.notOk(optionsOf(running.app).handleProtocols)
  await t.rejects(running.connect(), { message: 'Unexpected server response: 401' })
})

t.test('answers each of many clients on its own', async t => {
  const answers: Array<(isAccepted: boolean) => void> = []
  const running = await startEcho(t, {
    options: { verifyClient: (_info: unknown, answer: Callback) => { answers.push(answer) } }
  })
  const clients = await Promise.all(Array.from({ length: 6 }, () => running.raw()))
  for (const client of clients) {
    client.upgrade('/')
    const count = clients.indexOf(client) + 1
    await until(() => answers.length === count, `${count} questions`)
  }

  answers.forEach((answer, index) => { answer(index % 2 === 0) })

  const statuses = await Promise.all(clients.map(async client => (await client.readResponse()).status))
  t.strictSame(statuses, [101, 401, 101, 401, 101, 401])
})

t.test('leaves nothing on the raw socket of a connection that had to wait', async t => {
  const listeners: unknown[] = []
  for (const verifyClient of [undefined, async () => true, (_info: unknown, answer: Callback) => { setImmediate(answer, true) }]) {
    const running = await start(t, { websocket: { options: { verifyClient } } }, app => {
      app.get('/', { websocket: true }, (_socket, { raw: { socket } }) => {
        listeners.push(socket.eventNames().map(name => [name, socket.listenerCount(name)]))
      })
    })
    await running.connect()
  }

  t.equal(listeners.length, 3)
  t.strictSame(listeners[1], listeners[0])
  t.strictSame(listeners[2], listeners[0])
})

t.test('writes the 101 of RFC 6455', async t => {
  const running = await startEcho(t, {})
  const client = await running.raw()
  const key = 'dGhlIHNhbXBsZSBub25jZQ=='

  const { headers } = await client.upgrade('/', { 'Sec-WebSocket-Key': key }).readResponse()

  const digest = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  t.strictSame(headers, { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-accept': digest })
})

t.test('goes by the options of a route in front of those of the server, which stay', async t => {
  const server: ServerOptions = { maxPayload: 100, handleProtocols: () => 'theirs', verifyClient: () => false }
  const running = await start(t, { websocket: { options: server as WebsocketPluginOptions['options'] } }, app => {
    const shakeHands = createHandshaker(app.websocketServer, 1000)
    const options: ServerOptions = { maxPayload: 5, handleProtocols: () => 'mine', verifyClient: ({ req }: { req: IncomingMessage }) => req.url !== '/no' }
    app.addHook('preHandler', async (request, reply) => {
      const upgrade = upgradeOf(request.raw)
      if (upgrade === undefined || request.url === '/other') return
      reply.hijack()
      shakeHands({ upgrade, options, onOpen: socket => { socket.on('error', () => {}) }, onFailure: () => {} })
    })
    app.get('/*', { websocket: true }, () => {})
  })
  const { socket, inbox } = await running.connect('/yes', { protocols: ['theirs', 'mine'] })
  t.equal(socket.protocol, 'mine')
  socket.send('123456')
  t.equal((await inbox.closed).code, 1009)
  for (const path of ['/no', '/other']) await t.rejects(running.connect(path), { message: 'Unexpected server response: 401' })
  t.match(optionsOf(running.app), server)
})

t.test('goes by the compression of a route, and takes the first protocol where nobody chooses', async t => {
  const running = await start(t, app => {
    const shakeHands = createHandshaker(app.websocketServer, 1000)
    app.addHook('preHandler', async (request, reply) => {
      const upgrade = upgradeOf(request.raw)
      reply.hijack()
      if (upgrade !== undefined) shakeHands({ upgrade, options: { perMessageDeflate: true }, onOpen: () => {}, onFailure: () => {} })
    })
    app.get('/', { websocket: true }, () => {})
  })
  const { socket } = await running.connect('/', { protocols: ['first', 'second'], perMessageDeflate: true })

  t.equal(socket.extensions, 'permessage-deflate')
  t.equal(socket.protocol, 'first')
})
