// The package's face: what require and import get.
// One function under three names. The assignments at the end are what runs: Node's CommonJS lexer reads the names of an
// ESM import from them, so they stay literal.

import fastifyPlugin from 'fastify-plugin'
import { websocketPlugin } from './plugin'

const plugin = fastifyPlugin(websocketPlugin, { fastify: '5.x', name: '@fastify/websocket' })

export default plugin
export { plugin as fastifyWebsocket }

module.exports = plugin
module.exports.default = plugin
module.exports.fastifyWebsocket = plugin
