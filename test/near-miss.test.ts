import fastify from 'fastify'
import t from 'tap'
import websocket from '../src'
import { warnOfNearMisses } from '../src/near-miss'
import { readOptions } from '../src/options'
import type { WebsocketPluginOptions } from '../types'
import { create } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

function warnings (given: object, names: string[] = ['heartbeat', 'origin']): string[] {
  const { app, log } = create(t)
  warnOfNearMisses(app, given, names)
  return log.map(({ level, msg }) => {
    t.equal(level, 40)
    return String(/did you mean (.*)\?/.exec(msg)?.[1])
  })
}

t.test('a key that is nearly an option of ours is warned of', async t => {
  const slips = {
    hearbeat: 'heartbeat',
    heartbeats: 'heartbeat',
    haertbeat: 'heartbeat',
    heartBeat: 'heartbeat',
    hartbeet: 'heartbeat',
    orign: 'origin',
    Origin: 'origin',
    origins: 'origin',
    option: 'options',
    preclose: 'preClose',
    shutDown: 'shutdown',
    errorhandler: 'errorHandler'
  }
  for (const [key, meant] of Object.entries(slips)) t.same(warnings({ [key]: 1 }), [meant], key)
  t.same(warnings({ hearbeat: 1, orign: 2 }), ['heartbeat', 'origin'], 'each of them')
})

t.test('an option of ws beside options is warned of', async t => {
  for (const key of ['verifyClient', 'maxPayload', 'server', 'handleProtocol', 'perMessageDeflate', 'clientTracking']) {
    t.match(warnings({ [key]: 1 }), [/^options\./], key)
  }
})

t.test('other keys are left alone', async t => {
  const others = ['handle', 'prefix', 'logLevel', 'logSerializers', 'name', 'encapsulate', 'margin', 'heart', 'beat', 'opt', '', 'timeout', 'onClose']
  t.same(warnings(Object.fromEntries(others.map(key => [key, 1]))), [])
  t.same(warnings({ heartbeat: 1, origin: 2, options: {}, shutdown: {} }), [])
})

t.test('every option that is read at registration is known', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  const read = new Set<string>()
  readOptions(app, new Proxy<WebsocketPluginOptions>({}, {
    get (_options, key) {
      read.add(String(key))
      return undefined
    }
  }))

  t.ok(read.size > 5)
  t.same([...read].map(key => warnings({ [key]: 1, [`${key}s`]: 1 })), [...read].map(key => [key]))
})

t.test('a registration with such a key warns once and works; one as in the README of @fastify/websocket does not warn', async t => {
  const { app, log } = create(t)
  await app.register(async scope => { await scope.register(websocket, { preclose: 1, prefix: '/x' } as object) })
  await app.register(async scope => { await scope.register(websocket, { handle: () => {}, options: { maxPayload: 1048576 } } as object) })
  await app.ready()

  t.same(log.map(({ level, msg }) => [level, msg]), [[40, 'the option preclose is not known to the websocket plugin and has no effect; did you mean preClose?']])
})
