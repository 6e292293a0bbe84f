// The entry point fastify-wss/asyncapi: the wiring. It is a plugin of its own behind that of the websockets: it sees the routes
// that are declared after it, and describes them when it is asked, once.

import type { FastifyInstance, RouteOptions } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { AsyncAPIDocument, AsyncAPIOptions } from '../../types/asyncapi'
import { FST_WS_ASYNCAPI_ALREADY_REGISTERED, FST_WS_ASYNCAPI_NOT_READY, FST_WS_ASYNCAPI_NO_WEBSOCKET } from '../errors'
import { createDocument } from './document'
import { serve } from './endpoints'
import { readOptions } from './options'
import { Route } from './route'
import { toYaml } from './yaml'

const plugin = fastifyPlugin(asyncapiPlugin, { fastify: '5.x', name: 'fastify-wss/asyncapi' })

export default plugin
export { plugin as asyncapi }

module.exports = plugin
module.exports.default = plugin
module.exports.asyncapi = plugin

async function asyncapiPlugin (fastify: FastifyInstance, given: AsyncAPIOptions): Promise<void> {
  if (!fastify.hasDecorator('websocketServer')) throw new FST_WS_ASYNCAPI_NO_WEBSOCKET()
  if (fastify.hasDecorator('asyncapi')) throw new FST_WS_ASYNCAPI_ALREADY_REGISTERED()
  const settings = readOptions(given)
  const routes: Route[] = []
  let isReady = false
  let document: AsyncAPIDocument | undefined

  fastify.decorate('asyncapi', describe as FastifyInstance['asyncapi'])
  fastify.addHook('onRoute', keepRoute)
  fastify.addHook('onReady', async () => { isReady = true })
  if (settings.routePrefix !== undefined) serve(fastify, settings.routePrefix, describeAsObject)

  function keepRoute (this: FastifyInstance, route: RouteOptions): void {
    const isWebsocket = Boolean(route.websocket || route.wsHandler)
    if (isWebsocket && [route.method].flat().includes('GET')) routes.push(new Route(this, route, settings.transform))
  }

  function describe ({ yaml = false } = {}): AsyncAPIDocument | string {
    return yaml ? toYaml(describeAsObject()) : describeAsObject()
  }

  function describeAsObject (): AsyncAPIDocument {
    if (!isReady) throw new FST_WS_ASYNCAPI_NOT_READY()
    document ??= createDocument(settings, routes)
    return document
  }
}
