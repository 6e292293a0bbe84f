// The wiring: one line per stage, the table of contents of the whole.

import type { FastifyInstance } from 'fastify'
import { WebSocketServer } from 'ws'
import type { WebsocketPluginOptions } from '../types'
import { createConnectionOpener } from './connection'
import { dispatchUpgrades } from './dispatch'
import { FST_WS_ALREADY_REGISTERED } from './errors'
import { createInjector } from './inject'
import { WebsocketRoutes } from './neighbours'
import { readOptions } from './options'
import { createRouteAdapter } from './route'
import { createShutdown } from './shutdown'
import { upgradeOf } from './upgrade'

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
  const websocketServer = new WebSocketServer(settings.websocketServerOptions)
  const routes = new WebsocketRoutes()

  const dispatcher = dispatchUpgrades(fastify, settings, routes)
  const openConnection = createConnectionOpener(websocketServer, settings.errorHandler, settings.handshakeTimeout)
  const { adaptRoute, refuseEarlyRoute } = createRouteAdapter(openConnection, route => { routes.add(route) })
  const { closeConnections, finish } = createShutdown(websocketServer, dispatcher, settings)
  const injectWS = createInjector(fastify, settings.httpServer)

  fastify.decorateRequest('ws', { getter () { return upgradeOf(this.raw) !== undefined } })
  fastify.decorate('websocketServer', websocketServer)
  fastify.decorate('injectWS', injectWS)
  fastify.addHook('onRoute', adaptRoute)
  fastify.addHook('preClose', closeConnections)
  fastify.addHook('onClose', finish)
  // Only then, so that an ordinary request of any other application passes no hook of ours.
  if (fastify.printRoutes() !== '(empty tree)') fastify.addHook('preHandler', refuseEarlyRoute)
}
