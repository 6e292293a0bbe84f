// The entry point fastify-wss/pubsub: the wiring. It is a plugin of its own behind that of the websockets, whose registration it
// extends; the core knows nothing of it.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import type { PubSubOptions } from '../../types/pubsub'
import { connectionsOf } from '../connections'
import { FST_WS_PUBSUB_NO_WEBSOCKET } from '../errors'
import { Hub } from './hub'
import { memory as createMemory } from './memory'
import { readOptions } from './options'
import { addSubscribe } from './sockets'
import { Subscriptions } from './subscriptions'

const memory = createMemory
const plugin = fastifyPlugin(pubsubPlugin, { fastify: '5.x', name: 'fastify-wss/pubsub' })

export default plugin
export { plugin as pubsub, memory }

module.exports = plugin
module.exports.default = plugin
module.exports.pubsub = plugin
module.exports.memory = memory

async function pubsubPlugin (fastify: FastifyInstance, given: PubSubOptions): Promise<void> {
  if (!fastify.hasDecorator('websocketServer')) throw new FST_WS_PUBSUB_NO_WEBSOCKET()
  const settings = readOptions(given)
  const { websocketServer } = fastify
  const requests = new WeakMap<WebSocket, FastifyRequest>()
  const hub = new Hub(settings, websocketServer, fastify.log)

  fastify.decorate('pubsub', hub)
  addSubscribe(hub, new Subscriptions(hub, requests))
  if (settings.onSubscribe !== undefined) websocketServer.on('connection', keepRequest)
  fastify.addHook('onClose', close)
  await hub.start()

  function keepRequest (socket: WebSocket, _rawRequest: IncomingMessage, request: FastifyRequest): void {
    requests.set(socket, request)
  }

  // Whoever leaves may have something to say about it.
  async function close (): Promise<void> {
    const open = [...connectionsOf(websocketServer)].filter(({ readyState, CLOSED }) => readyState !== CLOSED)
    await Promise.all(open.map(socket => new Promise(resolve => { socket.once('close', resolve) })))
    await hub.close()
  }
}
