// The entry point fastify-wss/messages: the wiring. It is a plugin of its own behind that of the websockets; the core knows nothing
// of it.

import type { FastifyInstance } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { MessagesOptions } from '../../types/messages'
import { FST_WS_MESSAGES_NO_WEBSOCKET } from '../errors'
import { readOptions } from './options'
import { createRoutes } from './routes'
import { Serializers } from './serializers'
import { addMessages } from './sockets'

const plugin = fastifyPlugin(messagesPlugin, { fastify: '5.x', name: 'fastify-wss/messages' })

export default plugin
export { plugin as messages }

module.exports = plugin
module.exports.default = plugin
module.exports.messages = plugin

async function messagesPlugin (fastify: FastifyInstance, given: MessagesOptions): Promise<void> {
  if (!fastify.hasDecorator('websocketServer')) throw new FST_WS_MESSAGES_NO_WEBSOCKET()
  const routes = createRoutes(readOptions(given))
  const serializers = new Serializers(fastify)
  addMessages(fastify.websocketServer)
  fastify.decorate('messages', serializers)
  fastify.addHook('onRoute', routes.readRoute)
  fastify.addHook('onReady', async function compileSchemas () {
    routes.compile()
    serializers.compile()
  })
}
