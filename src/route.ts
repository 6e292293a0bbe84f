// Stage 2: every route learns to tell an upgrade from a plain request.
// A route declared after the plugin answers an upgrade with its websocket handler, or by closing where it has none; the
// plain request it serves as before. What the application passed in is never written to.

import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, RouteHandlerMethod, RouteOptions } from 'fastify'
import type { WebSocket } from 'ws'
import type { WebsocketHandler } from '../types'
import type { OpenConnection } from './connection'
import { FST_WS_INVALID_HANDLER, FST_WS_INVALID_METHOD, FST_WS_ROUTE_TOO_EARLY } from './errors'
import { upgradeOf } from './upgrade'

export interface RouteAdapter {
  /** An onRoute hook. */
  adaptRoute: (route: RouteOptions) => void
  /** A preHandler hook, for an application that declared routes before the plugin. */
  refuseEarlyRoute: (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void
}

export function createRouteAdapter (openConnection: OpenConnection, onWebsocketRoute: (route: RouteOptions) => void): RouteAdapter {
  const adapted = new Set<string | undefined>()
  return { adaptRoute, refuseEarlyRoute }

  function adaptRoute (route: RouteOptions): void {
    adapted.add(route.url)
    const isWebsocket = Boolean(route.websocket || route.wsHandler)
    if (isWebsocket && methodsOf(route).every(method => method === 'HEAD')) {
      // Fastify declares a HEAD route beside each GET route, of the same options. It cannot be upgraded.
      if (route.websocket) route.handler = answerNotFound
      if (route.websocket && route.schema) hide(route)
      return
    }
    if (route.websocket) hide(route)
    const plainHandler = route.websocket ? answerNotFound : route.handler
    const wsHandler = isWebsocket ? readWebsocketHandler(route) : closeUnhandled
    if (isWebsocket) onWebsocketRoute(route)
    route.handler = function handleRoute (this: FastifyInstance, request, reply) {
      if (upgradeOf(request.raw) === undefined) return plainHandler.call(this, request, reply)
      openConnection(this, wsHandler, request, reply)
    }
  }

  // Fastify has no way to tell whether the handler of such a route expects a socket: called with a request in its place it
  // would fail in its own way or never answer.
  function refuseEarlyRoute (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
    const { url } = request.routeOptions
    const isEarly = upgradeOf(request.raw) !== undefined && !request.is404 && !adapted.has(url)
    done(isEarly ? new FST_WS_ROUTE_TOO_EARLY(`${request.method} ${url}`) : undefined)
  }
}

function readWebsocketHandler (route: RouteOptions): WebsocketHandler {
  if (methodsOf(route).some(method => method !== 'GET' && method !== 'HEAD')) throw new FST_WS_INVALID_METHOD()
  const handler: unknown = route.websocket ? route.handler : route.wsHandler
  if (typeof handler !== 'function') throw new FST_WS_INVALID_HANDLER()
  return handler as WebsocketHandler
}

function methodsOf ({ method }: RouteOptions): string[] {
  return Array.isArray(method) ? method : [method]
}

// For plugins that describe an HTTP API, which a websocket route is not part of, unless the application says so.
function hide (route: RouteOptions): void {
  const schema: FastifySchema & { hide?: boolean } = { hide: true, ...route.schema }
  route.schema = schema
}

const answerNotFound: RouteHandlerMethod = function answerNotFound (_request, reply) {
  reply.code(404).send()
}

function closeUnhandled (this: FastifyInstance, socket: WebSocket, request: FastifyRequest): void {
  this.log.info({ path: request.url }, 'closed incoming websocket connection for path with no websocket handler')
  socket.close()
}
