// The wiring: one line per stage, the table of contents of the whole.

import type { FastifyInstance } from 'fastify'
import { WebSocketServer } from 'ws'
import type { WebsocketPluginOptions } from '../types'
import { createConnectionOpener } from './connection'
import { enrol } from './dispatch'
import { Enrolment } from './enrolment'
import { FST_WS_ALREADY_REGISTERED } from './errors'
import { createInjector } from './inject'
import { readOptions } from './options'
import { OwnRoutes } from './own-routes'
import { createPolicies } from './policies'
import { createRouteAdapter } from './route'
import { createShutdown } from './shutdown'
import { upgradeOf } from './upgrade'

// What Fastify prints where there is no route.
const EMPTY = '(empty tree)'

export function websocketPlugin (fastify: FastifyInstance, given: WebsocketPluginOptions, done: (error?: Error) => void): void {
  try {
    wire(fastify, given)
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}

function wire (fastify: FastifyInstance, given: WebsocketPluginOptions): void {
  if (fastify.hasDecorator('websocketServer')) throw new FST_WS_ALREADY_REGISTERED()
  const settings = readOptions(fastify, given)
  const { httpServer, handshakeTimeout, errorHandler, shouldHandle, strictRoutes, http2 } = settings
  const websocketServer = new WebSocketServer(settings.websocketServerOptions)
  const routes = new OwnRoutes(fastify)

  const enrolment = new Enrolment(fastify, handshakeTimeout, shouldHandle ?? (rawRequest => routes.matches(rawRequest)))
  const leave = enrol(httpServer, enrolment, http2)
  const openConnection = createConnectionOpener(websocketServer, errorHandler, handshakeTimeout)
  const { adaptRoute, refuseEarlyRoute } = createRouteAdapter(openConnection, createPolicies({ fastify, websocketServer, enrolment }, { ...given }), strictRoutes, route => { routes.add(route) })
  const { closeConnections, finish } = createShutdown(websocketServer, enrolment, leave, settings)
  const injectWS = createInjector(fastify, httpServer)

  fastify.decorateRequest('ws', { getter () { return upgradeOf(this.raw) !== undefined } })
  fastify.decorate('websocketServer', websocketServer)
  fastify.decorate('injectWS', injectWS)
  fastify.addHook('onRoute', adaptRoute)
  fastify.addHook('preClose', closeConnections)
  fastify.addHook('onClose', finish)
  // Only then, so that an ordinary request of any other application passes no hook of ours, and nobody's tracer shows one.
  if (fastify.printRoutes({ method: 'GET' }) !== EMPTY) fastify.addHook('preHandler', refuseEarlyRoute)
}
