import t from 'tap'
import * as plugin from '../src'

t.test('require gives the plugin, and the same under its two names', async t => {
  const required = require('../src')
  t.type(required, 'function')
  t.equal(required.default, required)
  t.equal(required.fastifyWebsocket, required)
  t.equal(plugin.default, required)
})
