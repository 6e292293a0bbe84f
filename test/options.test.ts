import fastify from 'fastify'
import { createServer } from 'node:http'
import t from 'tap'
import websocket from '../src'
import { readOptions } from '../src/options'
import { SAFE_DEFLATE } from '../src/safe-deflate'
import type { WebsocketPluginOptions } from '../types'
import { start } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

const read = (given: unknown) => readOptions(fastify(), given as WebsocketPluginOptions)

t.test('an application that asks for nothing gets the defaults', async t => {
  const app = fastify()
  const settings = readOptions(app, {})
  t.equal(settings.httpServer, app.server)
  t.same(settings.websocketServerOptions, { noServer: true })
  t.equal(settings.errorHandler, undefined)
  t.equal(settings.preClose, undefined)
  t.equal(settings.shouldHandle, undefined)
  t.equal(settings.handshakeTimeout, 30_000)
  t.equal(settings.strictRoutes, false)
  t.equal(settings.http2, true)
  t.same(settings.shutdown, { code: undefined, reason: undefined, timeout: 10_000, batch: Infinity, interval: 1000 })
})

t.test('what the application asks for is what it gets', async t => {
  const server = createServer()
  const shouldHandle = () => true
  const errorHandler = () => {}
  const preClose = async () => {}
  const shutdown = { code: 1001, reason: 'going away', timeout: 5, batch: 3, interval: 20 }
  const settings = read({ options: { server, maxPayload: 10 }, shouldHandle, errorHandler, preClose, handshakeTimeout: 7, shutdown })
  t.equal(settings.httpServer, server)
  t.same(settings.websocketServerOptions, { maxPayload: 10, noServer: true })
  t.equal(settings.shouldHandle, shouldHandle)
  t.equal(settings.errorHandler, errorHandler)
  t.equal(settings.preClose, preClose)
  t.equal(settings.handshakeTimeout, 7)
  t.same(settings.shutdown, shutdown)
})

t.test('an option set to null or undefined is an option not set', async t => {
  const unset = [null, undefined]
  for (const none of unset) {
    const options = { verifyClient: none, handleProtocols: none, maxPayload: none, server: none, port: none }
    const settings = read({ options, shutdown: none, shouldHandle: none, handshakeTimeout: none, errorHandler: none, preClose: none })
    t.equal(settings.handshakeTimeout, 30_000)
    t.equal(settings.shutdown.timeout, 10_000)
    t.equal(settings.shouldHandle, undefined)
  }
  t.same(read({ options: null }).websocketServerOptions, { noServer: true })
})

t.test("perMessageDeflate: 'safe' becomes what it stands for, and other compression is handed on", async t => {
  t.equal(read({ options: { perMessageDeflate: 'safe' } }).websocketServerOptions.perMessageDeflate, SAFE_DEFLATE)
  for (const other of [true, false, null, { threshold: 1 }]) t.equal(read({ options: { perMessageDeflate: other } }).websocketServerOptions.perMessageDeflate, other)
  t.notOk('perMessageDeflate' in read({ options: {} }).websocketServerOptions)
})

t.test('the object of the application is not written to', async t => {
  const given = Object.freeze({ options: Object.freeze({ maxPayload: 10 }), shutdown: Object.freeze({ code: 1001 }) })
  t.doesNotThrow(() => read(given))
})

const wrong: Array<[name: string, given: unknown, code: string, message: string | RegExp]> = [
  ['errorHandler', { errorHandler: 'x' }, 'FST_WS_INVALID_ERROR_HANDLER', 'invalid errorHandler function'],
  ['preClose', { preClose: 'x' }, 'FST_WS_INVALID_PRE_CLOSE', 'invalid preClose function'],
  ['options.noServer', { options: { noServer: true } }, 'FST_WS_NO_SERVER', "fastify-websocket doesn't support the ws noServer option. If you want to create a websocket server detatched from fastify, use the ws library directly."],
  ...[
    ['options', { options: 'x' }],
    ['options.server', { options: { server: {} } }],
    ['options.server', { options: { server: 'x' } }],
    ['options.verifyClient', { options: { verifyClient: 'x' } }],
    ['options.handleProtocols', { options: { handleProtocols: {} } }],
    ['options.WebSocket', { options: { WebSocket: {} } }],
    ['options.maxPayload', { options: { maxPayload: '1mb' } }],
    ['options.maxPayload', { options: { maxPayload: -1 } }],
    ['strictRoutes', { strictRoutes: 'yes' }],
    ['http2', { http2: {} }],
    ['options.perMessageDeflate', { options: { perMessageDeflate: 'yes' } }],
    ['options.port', { options: { port: 8080 } }],
    ['shouldHandle', { shouldHandle: true }],
    ['handshakeTimeout', { handshakeTimeout: 0 }],
    ['handshakeTimeout', { handshakeTimeout: '5s' }],
    ['handshakeTimeout', { handshakeTimeout: 2 ** 31 }],
    ['shutdown', { shutdown: 5 }],
    ['shutdown.timeout', { shutdown: { timeout: -1 } }],
    ['shutdown.code', { shutdown: { code: 1005 } }],
    ['shutdown.code', { shutdown: { code: 1006 } }],
    ['shutdown.code', { shutdown: { code: 999 } }],
    ['shutdown.code', { shutdown: { code: 2999 } }],
    ['shutdown.code', { shutdown: { code: 5000 } }],
    ['shutdown.code', { shutdown: { code: 1000.5 } }],
    ['shutdown.code', { shutdown: { code: '1001' } }],
    ['shutdown.reason', { shutdown: { code: 1001, reason: 'é'.repeat(62) } }],
    ['shutdown.reason', { shutdown: { code: 1001, reason: 5 } }],
    ['shutdown.reason', { shutdown: { reason: 'no code' } }],
    ['shutdown.batch', { shutdown: { batch: 0 } }],
    ['shutdown.batch', { shutdown: { batch: 1.5 } }],
    ['shutdown.batch', { shutdown: { batch: '100' } }],
    ['shutdown.batch', { shutdown: { batch: true } }],
    ['shutdown.interval', { shutdown: { batch: 1, interval: 0 } }],
    ['shutdown.interval', { shutdown: { batch: 1, interval: '1s' } }],
    ['shutdown.interval', { shutdown: { interval: 1000 } }],
    ['shutdown.batches', { shutdown: { batches: 2 } }]
  ].map(([name, given]) => [name, given, 'FST_WS_INVALID_OPTION', new RegExp(`^the option ${String(name)} `)] as [string, unknown, string, RegExp])
]

for (const [name, given, code, message] of wrong) {
  t.test(`${JSON.stringify(given)} rejects the registration with ${code}, which names ${name}`, async t => {
    const app = fastify()
    t.teardown(() => app.close())
    await t.rejects(async () => await app.register(websocket, given as WebsocketPluginOptions), { code, message })
  })
}

t.test('every close code that an endpoint may send is taken', async t => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]) {
    t.equal(read({ shutdown: { code } }).shutdown.code, code)
  }
})

t.test('options.path is warned about, and obeyed by ws', async t => {
  const running = await start(t, { logLevel: 'warn', websocket: { options: { path: '/here' } as object } }, app => {
    app.get('/*', { websocket: true }, () => {})
  })
  t.same(running.log.map(({ level, msg }) => [level, msg]), [[40, "ws server path option shouldn't be provided, use a route instead"]])
  await running.connect('/here')
  await t.rejects(running.connect('/elsewhere'), { message: 'Unexpected server response: 400' })
})
