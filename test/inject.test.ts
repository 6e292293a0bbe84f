// injectWS is a real client: the same over every kind of server, listening or not.

import fastify from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import websocket from '../src'
import { readMessages } from '../src/extras/testing'
import type { WebsocketPluginOptions } from '../types'
import { certificate } from './helpers/certificate'
import { checkLeaksAtEnd } from './helpers/leaks'
import { until } from './helpers/limit'

checkLeaksAtEnd(t)

interface Setup extends WebsocketPluginOptions { fastify?: FastifyServerOptions }

const KINDS = {
  http: {},
  https: { https: certificate },
  http2: { http2: true, https: { allowHTTP1: true, ...certificate } },
  'HTTP/2': { http2: true },
  'HTTP/2 on TLS': { http2: true, https: certificate },
  serverFactory: { serverFactory: (handler: (...args: unknown[]) => void, { connectionTimeout = 0 }: FastifyServerOptions) => createServer(handler).setTimeout(connectionTimeout) }
}

for (const [kind, serverOptions] of Object.entries(KINDS)) {
  for (const listens of [false, true]) {
    t.test(`injectWS over ${kind}, ${listens ? 'listening' : 'not listening'}`, async t => { await suite(t, kind, serverOptions, listens) })
  }
}

async function suite (t: Test, kind: string, serverOptions: object, listens: boolean): Promise<void> {
  const isOverHttp2 = kind.startsWith('HTTP/2')
  const build = async (t: Test, declare: (app: FastifyInstance) => unknown, { fastify: more, ...options }: Setup = {}): Promise<FastifyInstance> => {
    const app: FastifyInstance = fastify({ ...serverOptions, ...more } as object)
    t.teardown(() => app.close())
    await app.register(websocket, options)
    if (isOverHttp2) alwaysOverHttp2(app)
    await declare(app)
    if (listens) await app.listen({ port: 0, host: '127.0.0.1' })
    return app
  }

  const echo = (app: FastifyInstance) => app.get('/', { websocket: true }, socket => {
    socket.on('message', (data, binary) => { socket.send(data, { binary }) })
  })

  t.test('resolves to an open WebSocket of ws, without ready() before', async t => {
    const app = await build(t, echo)
    const socket = await app.injectWS()
    t.ok(socket instanceof WebSocket)
    t.equal(socket.readyState, WebSocket.OPEN)
    socket.send('hello')
    t.equal(String(await readMessages(socket).next()), 'hello')
  })

  t.test('works on an instance of a scope, however late', async t => {
    let scope: FastifyInstance | undefined
    const app: FastifyInstance = fastify(serverOptions as object)
    t.teardown(() => app.close())
    app.register(async child => {
      await child.register(websocket)
      echo(child)
      scope = child
    })
    await app.ready()
    t.equal((await scope?.injectWS())?.readyState, WebSocket.OPEN)
  })

  t.test('onInit sees the socket before the handshake, onOpen once it is open, then the promise resolves', async t => {
    const app = await build(t, echo)
    const order: unknown[] = []
    const socket = await app.injectWS('/', {}, {
      onInit: ws => { order.push(['init', ws.readyState]) },
      onOpen: ws => { order.push(['open', ws.readyState]) }
    })
    order.push(['resolved', socket.readyState])
    t.same(order, [['init', WebSocket.CONNECTING], ['open', WebSocket.OPEN], ['resolved', WebSocket.OPEN]])
  })

  t.test('the path may have a query, and reaches the application as it was given', async t => {
    const app = await build(t, app => {
      app.get('/*', { websocket: true }, (socket, request) => { socket.send(JSON.stringify([request.url, request.query])) })
    })
    const answer = async (path: string) => JSON.parse(String(await readMessages(await app.injectWS(path)).next()))
    t.same(await answer('/x?a=1'), ['/x?a=1', { a: '1' }])
    t.same(await answer('/a/../b'), ['/a/../b', {}])
    t.same(await answer('x'), ['/x', {}])
    t.same(await answer('/ü x'), ['/%C3%BC%20x', {}])
  })

  t.test('the client\'s own options reach it, finishRequest among them', async t => {
    const app = await build(t, app => {
      app.get('/x', { websocket: true }, (socket, request) => { socket.send(JSON.stringify([request.headers.origin, request.headers['x-last']])) })
    })
    const socket = await app.injectWS('/x#fragment', {}, {
      origin: 'http://example.test',
      finishRequest (request) {
        request.setHeader('x-last', 'yes')
        request.end()
      }
    })
    t.same((await readMessages(socket).next()).json(), ['http://example.test', 'yes'])
  })

  t.test('a response that breaks off makes it reject', async t => {
    const app = await build(t, app => {
      app.addHook('onRequest', (_request, reply) => {
        reply.hijack()
        reply.raw.writeHead(401, { 'content-length': 100 })
        reply.raw.write('half', () => { reply.raw.destroy() })
      })
    })
    await t.rejects(app.injectWS(), { code: 'FST_WS_INJECT_FAILED', message: /aborted/ })
  })

  t.test('the request is a real one', async t => {
    const app = await build(t, app => {
      app.get('/', { websocket: true }, (socket, request) => {
        const { ip, protocol, host, hostname, headers: { upgrade, connection }, ws } = request
        socket.send(JSON.stringify({ ip, protocol, host, hostname, upgrade, connection, ws, aborted: request.signal.aborted }))
        socket.send(String(['IncomingMessage', 'Http2ServerRequest'].includes(request.raw.constructor.name) && request.raw.on('close', () => {}) === request.raw && request.socket === request.raw.socket))
      })
    })
    const inbox = readMessages(await app.injectWS())
    const protocol = 'https' in serverOptions ? 'https' : 'http'
    t.same((await inbox.next()).json(), { ip: '127.0.0.1', protocol, host: 'localhost', hostname: 'localhost', upgrade: 'websocket', connection: 'Upgrade', ws: true, aborted: false })
    t.equal(String(await inbox.next()), 'true')
  })

  t.test('trustProxy reads the forwarded headers', async t => {
    const app = await build(t, app => {
      app.get('/', { websocket: true }, (socket, request) => { socket.send(JSON.stringify([request.ip, request.ips, request.protocol, request.host])) })
    }, { fastify: { trustProxy: true } })
    const headers = { 'X-Forwarded-For': '10.0.0.9', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'example.test' }
    const inbox = readMessages(await app.injectWS('/', { headers }))
    t.same((await inbox.next()).json(), ['10.0.0.9', ['127.0.0.1', '10.0.0.9'], 'https', 'example.test'])
  })

  t.test('headers in any case and cookies reach the application, and every other property of the context the raw request', async t => {
    const app = await build(t, app => {
      app.get('/', { websocket: true }, (socket, request) => {
        const { headers: { 'api-key': key, cookie, host }, ip } = request
        socket.send(JSON.stringify([key, cookie, host, ip, Reflect.get(request.raw, 'session')]))
      })
    })
    const context = { headers: { 'API-Key': 'k', Cookie: 'a=1; b=2', Host: 'example.test' }, socket: { remoteAddress: '10.0.0.1' }, session: { user: 1 } }
    const inbox = readMessages(await app.injectWS('/', context))
    t.same((await inbox.next()).json(), ['k', 'a=1; b=2', 'example.test', '10.0.0.1', { user: 1 }])
  })

  t.test('a subprotocol is negotiated and visible on both ends', async t => {
    const app = await build(t, app => {
      app.get('/', { websocket: true }, socket => { socket.send(socket.protocol) })
    }, { options: { handleProtocols: protocols => protocols.has('two') ? 'two' : false } })
    const ways: Array<Parameters<typeof app.injectWS>> = [['/', {}, { protocols: ['one', 'two'] }], ['/', { headers: { 'sec-websocket-protocol': 'one, two' } }]]
    for (const way of ways) {
      const socket = await app.injectWS(...way)
      t.equal(socket.protocol, 'two')
      t.equal(String(await readMessages(socket).next()), 'two')
    }
  })

  t.test('compression is negotiated when the test asks for it', async t => {
    const app = await build(t, echo, { options: { perMessageDeflate: { threshold: 0 } } })
    t.equal((await app.injectWS()).extensions, '')
    const ways: Array<Parameters<typeof app.injectWS>> = [['/', {}, { perMessageDeflate: true }], ['/', { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } }]]
    for (const way of ways) {
      const socket = await app.injectWS(...way)
      t.equal(socket.extensions, 'permessage-deflate')
      socket.send('x'.repeat(1000))
      t.equal(String(await readMessages(socket).next()).length, 1000)
    }
  })

  t.test('maxPayload of the server closes with 1009', async t => {
    const app = await build(t, echo, { options: { maxPayload: 10 } })
    const socket = await app.injectWS()
    const inbox = readMessages(socket)
    socket.send('x'.repeat(11))
    t.equal((await inbox.closed).code, 1009)
  })

  t.test('five megabytes make the round trip, and so do pings', async t => {
    const app = await build(t, echo)
    const socket = await app.injectWS()
    const inbox = readMessages(socket)
    const data = Buffer.alloc(5 * 1024 * 1024, 'abc')
    socket.send(data)
    const ponged = new Promise(resolve => socket.once('pong', resolve))
    socket.ping('are you there')
    t.ok((await inbox.next()).data.equals(data))
    t.equal(String(await ponged), 'are you there')
  })

  t.test('what the handler sends at once reaches a listener added after the await', async t => {
    const app = await build(t, app => {
      app.get('/', { websocket: true }, socket => {
        socket.send('first')
        socket.send('second')
        socket.close(4000, 'done')
      })
    })
    const inbox = readMessages(await app.injectWS())
    t.equal(String(await inbox.next()), 'first')
    t.equal(String(await inbox.next()), 'second')
    t.same(await inbox.closed, { code: 4000, reason: 'done' })
  })

  for (const [from, to] of [['client', 'server'], ['server', 'client']] as const) {
    for (const [how, code, reason] of [['close', 4001, 'bye'], ['terminate', 1006, '']] as const) {
      t.test(`${how} by the ${from} reaches the ${to}`, async t => {
        const ends: { client?: WebSocket, server?: WebSocket } = {}
        const app = await build(t, app => { app.get('/', { websocket: true }, socket => { ends.server = socket }) })
        ends.client = await app.injectWS()
        const other = ends[to] as WebSocket
        const closed = readMessages(other).closed
        if (how === 'close') ends[from]?.close(code, reason)
        else ends[from]?.terminate()
        t.same(await closed, { code, reason })
        await until(() => ends.client?.readyState === WebSocket.CLOSED && ends.server?.readyState === WebSocket.CLOSED, 'both ends closed')
        t.equal(app.websocketServer.clients.size, 0)
      })
    }
  }

  t.test('a refusal rejects with the response', async t => {
    const app = await build(t, app => {
      app.get('/', { websocket: true, preValidation: async (_request, reply) => await reply.code(401).header('x-why', 'no key').send({ error: 'who are you' }) }, () => {})
    })
    await t.rejects(app.injectWS(), { message: 'Unexpected server response: 401', code: 'FST_WS_INJECT_REFUSED', statusCode: 401, headers: { 'x-why': 'no key' }, body: '{"error":"who are you"}' })
    await t.rejects(app.injectWS('/nowhere'), { message: 'Unexpected server response: 404', statusCode: 404, body: /Route GET:\/nowhere not found/ })
  })

  t.test('an informational response before the 101 is not a refusal', async t => {
    const app = await build(t, app => {
      app.addHook('onRequest', async (_request, reply) => { reply.raw.writeEarlyHints({ link: '</style.css>; rel=preload' }) })
      echo(app)
    })
    t.equal((await app.injectWS()).readyState, WebSocket.OPEN)
  })

  t.test('a server that destroys the socket makes it reject', async t => {
    const app = await build(t, app => {
      app.addHook('onRequest', (request) => { request.raw.socket.destroy() })
      echo(app)
    })
    await t.rejects(app.injectWS(), { code: 'FST_WS_INJECT_FAILED', message: /socket hang up/ })
  })

  t.test('a server that never answers makes it reject, by time limit or by signal, and sees the client leave', async t => {
    const aborted: string[] = []
    const app = await build(t, app => {
      app.addHook('onRequest', () => {})
      app.addHook('onRequestAbort', async request => { aborted.push(request.url) })
      echo(app)
    })
    await t.rejects(app.injectWS('/?a', {}, { timeout: 20 }), { code: 'FST_WS_INJECT_TIMEOUT', message: 'injectWS got no answer within 20 ms' })
    const controller = new AbortController()
    const rejected = t.rejects(app.injectWS('/?b', {}, { signal: controller.signal, onInit: () => { controller.abort(new Error('enough')) } }), { code: 'FST_WS_INJECT_ABORTED', cause: { message: 'enough' } })
    await rejected
    await t.rejects(app.injectWS('/?c', {}, { signal: AbortSignal.abort() }), { code: 'FST_WS_INJECT_ABORTED' })
    await until(() => aborted.includes('/?a'), 'the application hears of the first')
  })

  t.test('an application that closes meanwhile makes it reject', async t => {
    const app = await build(t, app => {
      app.addHook('onRequest', () => { app.close() })
      echo(app)
    })
    await t.rejects(app.injectWS(), { message: 'Unexpected server response: 503', statusCode: 503 })
    await app.close()
    await t.rejects(app.injectWS(), { code: 'FST_WS_INJECT_FAILED' })
  })

  t.test('handlerTimeout, onTimeout and request.signal work as over a network', async t => {
    const seen: string[] = []
    const app = await build(t, app => {
      app.addHook('onTimeout', async () => { seen.push('timeout') })
      app.get('/slow', { websocket: true, handlerTimeout: 20, preHandler: request => { request.signal.addEventListener('abort', () => { seen.push('signal') }) } }, () => {})
      app.get('/idle', { websocket: true, preHandler: () => {} }, () => {})
    }, { fastify: { connectionTimeout: 100 } })
    await t.rejects(app.injectWS('/slow'), { message: 'Unexpected server response: 503', statusCode: 503 })
    // A limit of the session is not one of its requests.
    if (isOverHttp2) return
    await t.rejects(app.injectWS('/idle', {}, { timeout: 2000, onInit: () => { until(() => seen.includes('timeout'), 'the hook ran').then(() => app.close()) } }), { message: 'Unexpected server response: 503', statusCode: 503 })
    t.same(seen, ['signal', 'timeout'])
  })

  t.test('hundreds of sockets in one test leave nothing, and app.close() closes them', async t => {
    const app = await build(t, echo)
    const sockets = await Promise.all(Array.from({ length: 300 }, () => app.injectWS()))
    t.equal(app.websocketServer.clients.size, 300)
    const closes = sockets.map(socket => readMessages(socket).closed)
    await app.close()
    t.ok((await Promise.all(closes)).every(({ code }) => code === 1005))
    t.equal(app.websocketServer.clients.size, 0)
  })
}

function alwaysOverHttp2 (app: FastifyInstance): void {
  const { injectWS } = app
  app.injectWS = async (path, context, options) => await injectWS.call(app, path, context, { http2: true, ...options })
}

t.test('headers that are too large for the server of the application are refused as over the network', async t => {
  const app: FastifyInstance = fastify({ http: { maxHeaderSize: 1000 } } as FastifyServerOptions)
  t.teardown(() => app.close())
  await app.register(websocket)
  app.get('/', { websocket: true }, () => {})
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const headers = { cookie: 'c'.repeat(1000) }
  const [, response] = await once(new WebSocket(url, { headers }), 'unexpected-response')
  const body = await text(response)
  t.equal(response.statusCode, 431)
  await t.rejects(app.injectWS('/', { headers }), { message: 'Unexpected server response: 431', statusCode: 431, headers: response.headers, body })
})

t.test('an application that does not start makes it reject with the reason, and then closes', async t => {
  const app = fastify()
  await app.register(websocket)
  app.addHook('onReady', async () => { throw new Error('no database') })
  await t.rejects(app.injectWS(), new Error('no database'))
  await app.close()
})

t.test('it is equal to the error that a test compares with', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await assert.rejects(app.injectWS('/nowhere'), new Error('Unexpected server response: 404'))
  t.strictSame(await app.injectWS('/nowhere').catch(error => error), new Error('Unexpected server response: 404'))
})
