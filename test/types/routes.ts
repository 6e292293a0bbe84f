// Constants and options of routes that fastify-wss takes, and @fastify/websocket does not.

import { fastify } from 'fastify'
import type { FastifyReply, FastifyRequest, RouteOptions as FastifyRouteOptions } from 'fastify'
import websocket, { type PlainRouteOptions, type RouteOptions, type WebSocket } from 'fastify-wss'
import { expectType } from './expect-type'

const app = fastify()
app.register(websocket)

// A constant: the handler is typed by what the route is

const only: RouteOptions = {
  method: 'GET',
  url: '/only',
  websocket: true,
  handler: (socket, request) => {
    expectType<WebSocket>().from(socket)
    expectType<FastifyRequest>().from(request)
  }
}
const withOptions: RouteOptions = { method: 'GET', url: '/options', websocket: { maxPayload: 1 }, handler: (socket: WebSocket) => { socket.close() } }
const plain: RouteOptions = { method: 'GET', url: '/plain', handler: (request, reply) => { expectType<FastifyReply>().from(reply) } }
const off: RouteOptions = { method: 'GET', url: '/off', websocket: false, handler: (request, reply) => { expectType<FastifyReply>().from(reply) } }
const both: RouteOptions = {
  method: 'GET',
  url: '/both',
  websocket: { maxPayload: 1 },
  handler: (request: FastifyRequest, reply: FastifyReply) => { reply.send() },
  wsHandler: socket => { expectType<WebSocket>().from(socket) }
}
app.route(only).route(withOptions).route(plain).route(off).route(both)
const routes: RouteOptions[] = [only, withOptions, plain, off, both]
for (const route of routes) app.route(route)

type Listed = RouteOptions & { title: string }
const listed: Listed = { title: 'A', method: 'GET', url: '/listed', websocket: true, handler: socket => { expectType<WebSocket>().from(socket) } }
app.route(listed)
interface Titled extends PlainRouteOptions { title: string }
const titled: Titled = { title: 'A', method: 'GET', url: '/titled', handler: (request, reply) => { expectType<FastifyReply>().from(reply) } }
app.route(titled)
const ofFastify: FastifyRouteOptions = { method: 'GET', url: '/fastify', websocket: true, handler: () => {} }
app.route(ofFastify)
const bare: RouteOptions = { method: 'GET', url: '/bare', handler: (request, reply) => { expectType<FastifyReply>().from(reply) }, wsHandler: socket => { expectType<WebSocket>().from(socket) } }
app.route(bare)

// The handler among the options

app.get('/among', {
  websocket: true,
  handler: (socket, request) => {
    expectType<WebSocket>().from(socket)
    expectType<FastifyRequest>().from(request)
  }
})
app.get('/among/options', { websocket: { maxPayload: 1 }, handler: socket => { expectType<WebSocket>().from(socket) } })
app.get('/among/off', { websocket: false, handler: (request, reply) => { expectType<FastifyReply>().from(reply) } })
app.get('/among/none', { handler: (request, reply) => { expectType<FastifyReply>().from(reply) } })

// A boolean: `true` in a constant becomes one

const options = { websocket: true }
app.get('/boolean', options, socket => { expectType<WebSocket>().from(socket) })
app.get('/boolean', options, (socket: WebSocket, request: FastifyRequest) => { socket.close() })
app.get('/boolean', options, (request: FastifyRequest, reply: FastifyReply) => { reply.send() })
app.get('/boolean', { ...options, handler: (socket: WebSocket) => { socket.close() } })
const route = { method: 'GET' as const, url: '/boolean', websocket: true, handler: (socket: WebSocket) => { socket.close() } }
app.route(route)
const plainRoute = { method: 'GET' as const, url: '/boolean', websocket: false, handler: (request: FastifyRequest, reply: FastifyReply) => { reply.send() } }
app.route(plainRoute)

// What is wrong stays wrong

// @ts-expect-error: without `websocket` it is a handler of requests
app.get('/wrong', (socket: WebSocket) => { socket.close() })
// @ts-expect-error: the same
app.get('/wrong', { websocket: false }, (socket: WebSocket) => { socket.close() })
// @ts-expect-error: the same
app.get('/wrong', { websocket: false, handler: (socket: WebSocket) => { socket.close() } })
// @ts-expect-error: the same
app.route({ method: 'GET', url: '/wrong', handler: (socket: WebSocket) => { socket.close() } })
// @ts-expect-error: a websocket handler is no handler of requests
const mixed: RouteOptions = { method: 'GET', url: '/wrong', handler: (socket: WebSocket) => { socket.close() } }
app.route(mixed)
