// Stage 2: every route learns to tell an upgrade from a plain request.
// A route declared after the plugin answers an upgrade with its websocket handler, or by closing where it has none; the
// plain request it serves as before. What the application passed in is never written to. What is known of a route is read
// once, at its declaration, into a record that stays on the route itself.

import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify'
import type { ServerOptions, WebSocket } from 'ws'
import type { WebsocketHandler } from '../types'
import type { OpenConnection } from './connection'
import { FST_WS_INVALID_HANDLER, FST_WS_INVALID_METHOD, FST_WS_ROUTE_TOO_EARLY, FST_WS_UPGRADE_REQUIRED } from './errors'
import { hide } from './hidden'
import type { PoliciesFor } from './policies'
import { handshakeOptions, hookInto, takeOverBy } from './policy'
import type { Admit, Options, Policy, TakeOver } from './policy'
import { upgradeOf } from './upgrade'

/** A route as the plugin read it. */
export interface RouteRecord {
  handler: WebsocketHandler
  /** What the route's options do in the way of its connections. */
  policies: readonly Policy[]
  /** What they ask before the handshake. */
  admissions: readonly Admit[]
  /** What ws is to go by in the handshakes of this route. */
  handshake: ServerOptions | undefined
  /** What answers in the place of ws. */
  takeOver: TakeOver | undefined
}

export interface RouteAdapter {
  /** An onRoute hook. */
  adaptRoute: (this: FastifyInstance, route: RouteOptions) => void
  /** A preHandler hook, for an application that declared routes before the plugin. */
  refuseEarlyRoute: (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void
}

const kRecord = Symbol('fastify-wss.route')

type Config = NonNullable<RouteOptions['config']> & { [kRecord]?: RouteRecord }

export function createRouteAdapter (openConnection: OpenConnection, policiesFor: PoliciesFor, isStrict: boolean, onWebsocketRoute: (route: RouteOptions) => void): RouteAdapter {
  return { adaptRoute, refuseEarlyRoute }

  function adaptRoute (this: FastifyInstance, route: RouteOptions): void {
    const isWebsocket = Boolean(route.websocket || route.wsHandler)
    const isWebsocketOnly = Boolean(route.websocket) && !(route.wsHandler && isOptions(route.websocket))
    const isHead = methodsOf(route).every(method => method === 'HEAD')
    if (isWebsocketOnly && (!isHead || route.schema)) hide(route)
    const plainHandler = isWebsocketOnly ? isStrict ? requireUpgrade : answerNotFound : route.handler
    // Fastify declares a HEAD route beside each GET route, of the same options. It cannot be upgraded.
    const record = isWebsocket && !isHead ? readRoute(route, isWebsocketOnly) : read(closeUnhandled, [])
    mark(route, record)
    if (isWebsocket && isHead) {
      route.handler = plainHandler
      return
    }
    if (isWebsocketOnly && route.wsHandler) this.log.warn(`the wsHandler of the route ${route.url} is not used: with websocket: true its handler is the websocket handler`)
    if (isWebsocket) onWebsocketRoute(route)
    route.handler = function handleRoute (this: FastifyInstance, request, reply) {
      if (upgradeOf(request.raw) === undefined) return plainHandler.call(this, request, reply)
      if (isStrict && !isWebsocket) return reply.callNotFound()
      return openConnection(this, record, request, reply)
    }
  }

  function readRoute (route: RouteOptions, isWebsocketOnly: boolean): RouteRecord {
    if (methodsOf(route).some(method => method !== 'GET' && method !== 'HEAD')) throw new FST_WS_INVALID_METHOD()
    const handler: unknown = isWebsocketOnly ? route.handler : route.wsHandler
    if (typeof handler !== 'function') throw new FST_WS_INVALID_HANDLER()
    const policies = policiesFor(isOptions(route.websocket) ? route.websocket : {})
    hookInto(route, policies)
    return read(handler as WebsocketHandler, policies)
  }
}

function read (handler: WebsocketHandler, policies: readonly Policy[]): RouteRecord {
  const admissions = policies.flatMap(policy => policy.admit ?? [])
  return { handler, policies, admissions, handshake: handshakeOptions(policies), takeOver: takeOverBy(policies) }
}

/** Puts a function in front of the websocket handler of a route that was declared. False where it has none. */
export function wrapHandler (route: RouteOptions, wrap: (handler: WebsocketHandler) => WebsocketHandler): boolean {
  const config: Config | undefined = route.config
  const record = config?.[kRecord]
  if (record === undefined || record.handler === closeUnhandled) return false
  record.handler = wrap(record.handler)
  return true
}

function isOptions (websocket: unknown): websocket is Options {
  return typeof websocket === 'object' && websocket !== null
}

// Fastify has no way to tell whether the handler of such a route expects a socket: called with a request in its place it
// would fail in its own way or never answer.
function refuseEarlyRoute (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  // Every request of such an application passes here, and almost all are plain.
  if (upgradeOf(request.raw) === undefined || request.is404) return done()
  const { config, url }: { config: Config, url?: string | undefined } = request.routeOptions
  done(config[kRecord] === undefined ? new FST_WS_ROUTE_TOO_EARLY(`${request.method} ${url}`) : undefined)
}

// Fastify copies a route's config into the route, symbols included.
function mark (route: RouteOptions, record: RouteRecord): void {
  const config: Config = { ...route.config, [kRecord]: record }
  route.config = config
}

function methodsOf ({ method }: RouteOptions): string[] {
  return Array.isArray(method) ? method : [method]
}

const answerNotFound: RouteHandlerMethod = function answerNotFound (_request, reply) {
  reply.code(404).send()
}

// RFC 9110 section 15.5.22. In HTTP/2 there are no such headers.
const requireUpgrade: RouteHandlerMethod = function requireUpgrade (request, reply) {
  if (request.raw.httpVersionMajor === 1) reply.headers({ upgrade: 'websocket', connection: 'Upgrade' })
  reply.send(new FST_WS_UPGRADE_REQUIRED())
}

function closeUnhandled (this: FastifyInstance, socket: WebSocket, request: FastifyRequest): void {
  this.log.info({ path: request.url }, 'closed incoming websocket connection for path with no websocket handler')
  socket.close()
}
