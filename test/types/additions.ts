// What fastify-wss has beyond @fastify/websocket.

import { fastify } from 'fastify'
import type { FastifyInstance, FastifyRequest, InjectWSOption } from 'fastify'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import WS from 'ws'
import websocket, {
  type InjectWSError,
  type ShutdownOptions,
  type UpgradeContext,
  type VerifyClient,
  type VerifyClientInfo,
  type WebSocket,
  type WebsocketErrorHandler,
  type WebsocketPluginOptions,
  type WebSocketServerOptions
} from 'fastify-wss'
import { expectType } from './expect-type'

const app: FastifyInstance = fastify()

// Plugin options

const shutdown: ShutdownOptions = { code: 1001, reason: 'going away', timeout: 5000, batch: 100, interval: 500 }
app.register(websocket, { shutdown })
app.register(websocket, { shutdown: {} })
app.register(websocket, { shutdown: { timeout: 100 }, handshakeTimeout: 1000 })
app.register(websocket, {
  shouldHandle: rawRequest => {
    expectType<IncomingMessage>().from(rawRequest)
    return rawRequest.url === '/ours'
  }
})
// @ts-expect-error: milliseconds
app.register(websocket, { shutdown: { timeout: '5s' } })
// @ts-expect-error: no such option
app.register(websocket, { shutdown: { grace: 1 } })
// @ts-expect-error: asked synchronously
app.register(websocket, { shouldHandle: async () => true })
// @ts-expect-error: milliseconds
app.register(websocket, { handshakeTimeout: '1s' })

app.register(websocket, {
  options: {
    verifyClient: info => {
      expectType<VerifyClientInfo>().from(info)
      return info.origin === 'https://example.com'
    }
  }
})
app.register(websocket, {
  options: {
    verifyClient: async info => {
      expectType<VerifyClientInfo>().from(info)
      return info.req.headers.cookie !== undefined
    }
  }
})
app.register(websocket, { options: { verifyClient: async () => false } })
app.register(websocket, { options: { verifyClient: undefined } })
app.register(websocket, { options: { perMessageDeflate: 'safe', handleProtocols: async protocols => protocols.has('one') && 'one' } })
app.get('/options-of-ws', {
  websocket: {
    maxPayload: 4096,
    perMessageDeflate: 'safe',
    handleProtocols: (protocols, request) => {
      expectType<IncomingMessage>().from(request)
      return protocols.has('one') && 'one'
    },
    verifyClient: async ({ secure }) => secure
  }
}, socket => { expectType<WebSocket>().from(socket) })
app.get('/options-of-ws-off', { websocket: { maxPayload: null, perMessageDeflate: false, handleProtocols: null, verifyClient: false } }, () => {})
app.register(websocket, {
  origin: ['https://app.example', /example/, 'same-origin'],
  requireOrigin: true,
  maxConnections: { total: 10, perIp: 5, perRoute: 5, key: async request => request.headers['x-user'], perKey: 2 },
  maxPending: 5,
  strictRoutes: true,
  http2: false,
  catchListenerErrors: true
})
app.get('/limits', { websocket: { origin: async (origin, request) => origin === request.host, maxConnections: { perRoute: null }, catchListenerErrors: false } }, () => {})
app.get('/upgrade', {
  websocket: {
    async upgrade (request, rawSocket, head) {
      expectType<FastifyInstance>().from(this)
      expectType<FastifyRequest>().from(request)
      expectType<Buffer>().from(head)
      rawSocket.end()
    }
  }
}, () => {})
// @ts-expect-error: a place for all is plugin-wide
app.get('/wrong', { websocket: { maxConnections: { total: 5 } } }, () => {})
// @ts-expect-error: of a route only
app.register(websocket, { upgrade: () => {} })
// @ts-expect-error: bytes
app.get('/wrong', { websocket: { maxPayload: '1mb' } }, () => {})
// @ts-expect-error: plugin-wide they are in options
app.register(websocket, { maxPayload: 4096 })

app.register(websocket, {
  heartbeat: true,
  idleTimeout: 60_000,
  maxLifetime: { timeout: 3_600_000, code: 4401, reason: 'sign in again' },
  slowConsumer: { maxBufferedAmount: 1024, action: socket => { expectType<WebSocket>().from(socket) } },
  messageRate: { max: 10, timeWindow: 1000, action: 'pause' }
})
app.get('/limits', {
  websocket: {
    heartbeat: { interval: 1000, timeout: 500 },
    idleTimeout: { timeout: 1000, code: 4000 },
    maxLifetime: { code: 4401 },
    slowConsumer: { action: async socket => { socket.terminate() } },
    messageRate: { maxBytes: 1024, timeWindow: 1000 }
  }
}, socket => {
  socket.expiresAt?.(new Date())
  socket.expiresAt?.(Date.now() + 1000)
  // @ts-expect-error: a Date or milliseconds
  socket.expiresAt?.('tomorrow')
})
app.get('/no-limits', { websocket: { heartbeat: null, idleTimeout: false, maxLifetime: false, slowConsumer: false, messageRate: null } }, () => {})
const ofWs: WebSocket = {} as WS.WebSocket
ofWs.close()
// @ts-expect-error: milliseconds
app.register(websocket, { heartbeat: { interval: '30s' } })
// @ts-expect-error: there is no time by default
app.register(websocket, { idleTimeout: true })
// @ts-expect-error: a window has no length by default
app.register(websocket, { messageRate: { max: 10 } })
// @ts-expect-error: no such action
app.register(websocket, { slowConsumer: { action: 'pause' } })

const verifyClient: VerifyClient = ({ secure }) => secure ? Promise.resolve(true) : false
const options: WebSocketServerOptions = { verifyClient, maxPayload: 1024 }
const forWs: WS.ServerOptions = options
app.register(websocket, { options })

const errorHandler: WebsocketErrorHandler = async function (error, socket, request, reply) {
  expectType<FastifyInstance>().from(this)
  request.log.error(error)
  reply.log.error(error)
  socket.terminate()
}
const pluginOptions: WebsocketPluginOptions = { errorHandler }
app.register(websocket, pluginOptions)

// injectWS

app.injectWS('/', { socket: { remoteAddress: '10.0.0.1' } })
app.injectWS('/', { socket: { encrypted: true }, headers: { 'X-Forwarded-For': '10.0.0.2', 'Set-Cookie': 'a=b' } })
const context: UpgradeContext = { socket: { remotePort: 1 }, httpVersion: '1.1' }
app.injectWS('/', context)
const injectOptions: InjectWSOption = {
  protocols: ['v2', 'v1'],
  timeout: 100,
  signal: AbortSignal.timeout(100),
  origin: 'https://example.com',
  perMessageDeflate: { threshold: 0 },
  maxPayload: 1024,
  skipUTF8Validation: true,
  autoPong: false
}
app.injectWS('/', {}, injectOptions)
app.injectWS('/', {}, { protocols: 'v1', onOpen (socket) { expectType<WebSocket>().from(socket) } })
const http2App = fastify({ http2: true, https: { allowHTTP1: true } })
http2App.injectWS('/', { socket: { remoteAddress: '10.0.0.1' } }, { http2: true })
http2App.register(websocket, { http2: null })
// @ts-expect-error: not a boolean
http2App.register(websocket, { http2: 'yes' })
// @ts-expect-error: not a boolean
http2App.injectWS('/', {}, { http2: 2 })
// @ts-expect-error: not a string
app.injectWS('/', { socket: { remoteAddress: 1 } })
// @ts-expect-error: no such property
app.injectWS('/', { header: {} })
// @ts-expect-error: headers are part of the upgrade context
app.injectWS('/', {}, { headers: {} })
// @ts-expect-error: the connection is ours
app.injectWS('/', {}, { createConnection () {} })
// @ts-expect-error: nothing to trust over memory
app.injectWS('/', {}, { ca: 'certificate' })

function onRefusal (error: InjectWSError): void {
  expectType<string>().from(error.message)
  expectType<string>().from(error.code)
  expectType<number | undefined>().from(error.statusCode)
  expectType<IncomingHttpHeaders | undefined>().from(error.headers)
  expectType<string | undefined>().from(error.body)
}
app.injectWS('/refused').catch(onRefusal)

export { forWs }
