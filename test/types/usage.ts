// What users of @fastify/websocket write. types.test.ts compiles this file twice, the second time with the name
// 'fastify-wss' standing for @fastify/websocket itself: whatever compiles there has to compile here, with the same types.

import fastify, { fastify as createFastify } from 'fastify'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  InjectWSFn,
  InjectWSOption,
  RawRequestDefaultExpression,
  RawServerDefault,
  RequestGenericInterface,
  RouteGenericInterface,
  RouteOptions,
  RouteShorthandOptions
} from 'fastify'
import type { Http2ServerRequest } from 'node:http2'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import WS from 'ws'
import websocket, { fastifyWebsocket, type WebSocket, type WebsocketHandler, type WebsocketPluginOptions } from 'fastify-wss'
import * as everything from 'fastify-wss'
import { expectType } from './expect-type'

const app: FastifyInstance = fastify()

// Registration

app.register(websocket)
app.register(websocket, {})
app.register(fastifyWebsocket, { prefix: '/ws' })
app.register(everything.default)
app.register(everything.fastifyWebsocket)
expectType<typeof fastifyWebsocket>().from(everything.default)
websocket(app, {}, (_error?: Error) => {})

app.register(websocket, { options: { maxPayload: 1024, perMessageDeflate: true, clientTracking: false, backlog: 1 } })
app.register(websocket, { options: { server: createServer(), WebSocket: class extends WS.WebSocket {} } })
app.register(websocket, { options: { perMessageDeflate: { threshold: 100, zlibDeflateOptions: { level: 1 } } } })
app.register(websocket, { options: { noServer: true } })
app.register(websocket, {
  options: {
    handleProtocols: (protocols, request) => {
      expectType<Set<string>>().from(protocols)
      expectType<IncomingMessage>().from(request)
      return protocols.has('graphql-transport-ws') && 'graphql-transport-ws'
    }
  }
})
app.register(websocket, {
  options: {
    verifyClient: function (info, next) {
      expectType<string>().from(info.origin)
      expectType<boolean>().from(info.secure)
      expectType<IncomingMessage>().from(info.req)
      next(false, 401, 'Unauthorized', { 'www-authenticate': 'Bearer' })
    }
  }
})
app.register(websocket, { options: { verifyClient: (info: { origin: string, secure: boolean, req: IncomingMessage }) => info.secure } })
const verifySync: WS.VerifyClientCallbackSync = info => info.secure
const verifyCallback: WS.VerifyClientCallbackAsync = (info, next) => { next(info.secure) }
app.register(websocket, { options: { verifyClient: verifySync } })
app.register(websocket, { options: { verifyClient: verifyCallback } })
const serverOptions: WS.ServerOptions = { verifyClient: Math.random() > 0.5 ? verifySync : verifyCallback }
app.register(websocket, { options: serverOptions })
// @ts-expect-error: Fastify routes, not ws
app.register(websocket, { options: { path: '/' } })
// @ts-expect-error: bytes
app.register(websocket, { options: { maxPayload: '1024' } })
// @ts-expect-error: no such option
app.register(websocket, { handlers: {} })

app.register(websocket, {
  errorHandler: function (error, socket, request, reply) {
    expectType<FastifyInstance>().from(this)
    expectType<Error>().from(error)
    expectType<WebSocket>().from(socket)
    expectType<FastifyRequest>().from(request)
    expectType<FastifyReply>().from(reply)
  }
})
app.register(websocket, { errorHandler (problem: Error, socket: WebSocket, request: FastifyRequest, reply: FastifyReply): void {} })
app.register(websocket, { errorHandler: (error, socket) => { socket.close(1011, error.message) } })
app.register(websocket, { errorHandler: async (error, socket) => { socket.close(1011, error.message) } })
const errors: Error[] = []
app.register(websocket, { errorHandler: problem => errors.push(problem) })
// @ts-expect-error: not a function
app.register(websocket, { errorHandler: {} })

app.register(websocket, { preClose () {} })
app.register(websocket, { async preClose () {} })
app.register(websocket, {
  preClose (done) {
    expectType<FastifyInstance>().from(this)
    for (const client of this.websocketServer.clients) client.close(1001)
    this.websocketServer.close(done)
  }
})
app.register(websocket, { async preClose (this: FastifyInstance) { this.websocketServer.close() } })

const pluginOptions: WebsocketPluginOptions = { options: { maxPayload: 1 }, errorHandler: () => {}, preClose: async () => {} }
app.register(websocket, pluginOptions)
pluginOptions.errorHandler?.call(app, new Error(), {} as WebSocket, {} as FastifyRequest, {} as FastifyReply)
expectType<number | undefined>().from(pluginOptions.options?.maxPayload)

fastify({ https: {} }).register(websocket)
createFastify({ http2: true, https: { allowHTTP1: true } }).register(websocket)

// Decorations

expectType<WS.Server>().from(app.websocketServer)
expectType<Set<WS.WebSocket>>().from(app.websocketServer.clients)
app.websocketServer.options.handleProtocols = () => false
app.websocketServer.on('connection', (socket, request) => {
  expectType<WS.WebSocket>().from(socket)
  expectType<IncomingMessage>().from(request)
})
app.addHook('onRequest', async request => { expectType<boolean>().from(request.ws) })

// The shorthand

app.get('/inferred', { websocket: true }, function (socket, request) {
  expectType<FastifyInstance>().from(this)
  expectType<WebSocket>().from(socket)
  expectType<FastifyRequest<RequestGenericInterface>>().from(request)
  expectType<boolean>().from(request.ws)
  expectType<FastifyBaseLogger>().from(request.log)
  expectType<FastifyInstance>().from(request.server)
  socket.on('message', (data, isBinary) => {
    expectType<WS.RawData>().from(data)
    socket.send(data, { binary: isBinary })
  })
})
app.get('/async', { websocket: true }, async (socket, request) => { socket.send(request.url) })
app.get('/value', { websocket: true }, async () => 'ignored')
app.get('/options', { websocket: true, logLevel: 'warn', config: { any: 1 }, preValidation: async () => {} }, () => {})
app.get('/no-handler', { websocket: true })
app.get('/plain', async (request, reply) => {
  expectType<FastifyRequest>().from(request)
  expectType<FastifyReply>().from(reply)
  return request.ws
})
app.get('/not', { websocket: false }, async (request, reply) => {
  expectType<FastifyRequest>().from(request)
  expectType<FastifyReply>().from(reply)
})
const shorthand: RouteShorthandOptions = { websocket: true }
app.get('/undecided', shorthand, async (request, reply) => {
  expectType<FastifyReply>().from(reply)
  return request.ws
})
app
  .get('/chained', { websocket: true }, socket => { socket.close() })
  .get('/chained/too', { websocket: true }, socket => { socket.close() })
// @ts-expect-error: a websocket handler gets no reply
app.get('/three', { websocket: true }, (socket: WebSocket, request: FastifyRequest, reply: FastifyReply) => {})
// @ts-expect-error: not a boolean
app.get('/yes', { websocket: 'yes' }, () => {})

const handler: WebsocketHandler = async function (socket, request) {
  expectType<FastifyInstance>().from(this)
  expectType<WebSocket>().from(socket)
  expectType<FastifyRequest<RequestGenericInterface>>().from(request)
}
app.get('/annotated', { websocket: true }, handler)
app.route({ method: 'GET', url: '/annotated/route', websocket: true, handler })
app.route({ method: 'GET', url: '/annotated/both', handler: async () => 'http', wsHandler: handler })
const typedHandler: WebsocketHandler<RawServerDefault, RawRequestDefaultExpression, { Params: { room: string } }> = (socket, request) => {
  socket.send(request.params.room)
}
app.get('/annotated/:room', { websocket: true }, typedHandler)
function onSocket (this: FastifyInstance, socket: WebSocket, request: FastifyRequest): void { socket.send(request.id) }
app.get('/declared', { websocket: true }, onSocket)
const settled: (socket: WebSocket, request: FastifyRequest) => void | Promise<void> = (socket, request) => handler.call(app, socket, request)
expectType<[socket: WebSocket, request: FastifyRequest]>().from({} as Parameters<WebsocketHandler>)

interface Typed {
  Params: { foo: string }
  Body: { bar: string }
  Querystring: { search: string }
  Headers: { auth: string }
}
type TypedHeaders = IncomingMessage['headers'] & { auth: string }

app.get<Typed>('/typed/:foo', { websocket: true }, async (socket, request) => {
  expectType<WebSocket>().from(socket)
  expectType<{ foo: string }>().from(request.params)
  expectType<{ bar: string }>().from(request.body)
  expectType<{ search: string }>().from(request.query)
  expectType<TypedHeaders>().from(request.headers)
})

// The full declaration

app.route({
  method: 'GET',
  url: '/both',
  handler (request, reply) {
    expectType<FastifyRequest>().from(request)
    expectType<FastifyReply>().from(reply)
  },
  wsHandler (socket, request) {
    expectType<FastifyInstance>().from(this)
    expectType<WebSocket>().from(socket)
    expectType<FastifyRequest<RouteGenericInterface>>().from(request)
    expectType<boolean>().from(request.ws)
  }
})
app.route({
  method: 'GET',
  url: '/only',
  websocket: true,
  async handler (socket, request) {
    expectType<FastifyInstance>().from(this)
    expectType<WebSocket>().from(socket)
    expectType<FastifyRequest<RouteGenericInterface>>().from(request)
    expectType<boolean>().from(request.ws)
  }
})
app.route({
  method: ['GET', 'HEAD'],
  url: '/neither',
  websocket: false,
  handler (request, reply) {
    expectType<FastifyRequest>().from(request)
    expectType<FastifyReply>().from(reply)
  }
})
app.route<Typed>({
  method: 'GET',
  url: '/both/typed/:foo',
  handler (request) {
    expectType<{ foo: string }>().from(request.params)
  },
  wsHandler (socket, request) {
    expectType<WebSocket>().from(socket)
    expectType<{ foo: string }>().from(request.params)
    expectType<{ bar: string }>().from(request.body)
    expectType<{ search: string }>().from(request.query)
    expectType<TypedHeaders>().from(request.headers)
  }
})
app.route<Typed>({
  method: 'GET',
  url: '/only/typed/:foo',
  websocket: true,
  handler (socket, request) {
    expectType<WebSocket>().from(socket)
    expectType<{ foo: string }>().from(request.params)
    expectType<{ search: string }>().from(request.query)
    expectType<TypedHeaders>().from(request.headers)
  }
})
const routeOptions: RouteOptions = {
  method: 'GET',
  url: '/object',
  handler: async () => 'http',
  wsHandler (socket, request) {
    expectType<WebSocket>().from(socket)
    expectType<FastifyRequest<RouteGenericInterface>>().from(request)
  }
}
app.route(routeOptions)
const exportedRouteOptions: everything.RouteOptions = { ...routeOptions, wsHandler: handler }
app.route(exportedRouteOptions)
// @ts-expect-error: not a function
app.route({ method: 'GET', url: '/bad', handler: () => {}, wsHandler: 'no' })

// Inside plugins

const routes: FastifyPluginAsync = async scope => {
  scope.get('/scoped', { websocket: true }, socket => { socket.send('hi') })
  scope.websocketServer.clients.forEach(client => client.terminate())
  await scope.injectWS('/scoped')
}
app.register(routes)
const annotatedServer: FastifyInstance<Server, IncomingMessage, ServerResponse> = app
annotatedServer.get('/plain-server', { websocket: true }, socket => { socket.close() })

// injectWS

const client: Promise<WS> = app.injectWS()
const sameClient: Promise<WebSocket> = app.injectWS('/path?query=1')
app.injectWS('/', { headers: { 'X-Any-Case': 'yes', cookie: 'a=b', 'x-list': ['a', 'b'] } })
app.injectWS('/', { headers: { 'api-key': 'key' }, method: 'GET' }, {})
app.injectWS('/', {}, {
  onInit (socket) { expectType<WebSocket>().from(socket) },
  onOpen (socket) { expectType<WebSocket>().from(socket) }
})
const partialRequest: Partial<IncomingMessage> = { url: '/x' }
app.injectWS('/', partialRequest)
const options: InjectWSOption = { onInit: socket => { socket.on('message', () => {}) } }
const inject: InjectWSFn<IncomingMessage> = app.injectWS
inject('/', {}, options)
const injectHttp2: InjectWSFn<Http2ServerRequest> = createFastify({ http2: true }).injectWS
injectHttp2('/', { authority: 'localhost' })
async function readFirst (...args: Parameters<FastifyInstance['injectWS']>): Promise<string> {
  const socket = await app.injectWS(...args)
  const data = await new Promise<WS.RawData>(resolve => { socket.once('message', resolve) })
  socket.terminate()
  return data.toString()
}
// @ts-expect-error: a path, not a URL
app.injectWS(new URL('ws://localhost/'))
// @ts-expect-error: no such option
app.injectWS('/', {}, { onClose () {} })

export { client, sameClient, readFirst, settled }
