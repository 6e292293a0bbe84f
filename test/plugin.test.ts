import fastify from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import websocket from '../src'
import { readMessages } from '../src/extras/testing'
import { start } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'

checkLeaksAtEnd(t)

t.test('the plugin carries the name of the reference, so that plugins which depend on it find it', async t => {
  const { app } = await start(t, async app => {
    await app.register(fastifyPlugin(async () => {}, { name: 'on-top', dependencies: ['@fastify/websocket'] }))
  })
  t.ok(app.hasPlugin('@fastify/websocket'))
})

t.test('the decorations reach the instance it is registered on', async t => {
  const { app } = await start(t, () => {})
  t.ok(app.websocketServer instanceof WebSocketServer)
  t.type(app.injectWS, 'function')
})

t.test('request.ws tells an upgrade from a plain request, also in hooks registered before the plugin', async t => {
  const seen: unknown[] = []
  const running = await start(t, { websocket: false }, async app => {
    app.addHook('onRequest', async request => { seen.push(request.ws) })
    await app.register(websocket)
    app.get('/', { websocket: true }, (socket, request) => { socket.send(String(request.ws)) })
  })
  await running.app.inject('/')
  const { inbox } = await running.connect()
  t.equal(String(await inbox.next()), 'true')
  t.same(seen, [false, true])
})

t.test('a second registration on the same instance is rejected', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await t.rejects(async () => await app.register(websocket), { code: 'FST_WS_ALREADY_REGISTERED' })
})

t.test('a registration below another is rejected', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await t.rejects(async () => await app.register(async child => { await child.register(websocket) }), { code: 'FST_WS_ALREADY_REGISTERED' })
})

t.test('two scopes beside each other can each have the plugin, with options of their own', async t => {
  const running = await start(t, { websocket: false }, async app => {
    for (const [prefix, maxPayload] of [['/small', 5], ['/large', 50]] as const) {
      await app.register(async scope => {
        await scope.register(websocket, { options: { maxPayload } })
        scope.get('/', { websocket: true }, socket => { socket.on('message', data => { socket.send(data) }) })
      }, { prefix })
    }
  })
  const small = await running.connect('/small')
  small.socket.send('123456')
  t.equal((await small.inbox.closed).code, 1009)
  const large = await running.connect('/large')
  large.socket.send('123456')
  t.equal(String(await large.inbox.next()), '123456')
})

t.test('options.server takes the upgrades in place of the application\'s own server, until the close', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const running = await start(t, { websocket: { options: { server } } }, app => {
    app.get('/', { websocket: true }, socket => { socket.send('hello') })
  })
  t.equal(running.server.listenerCount('upgrade'), 0)
  t.equal(server.listenerCount('upgrade'), 1)
  await t.rejects(running.connect('/'), { message: 'Unexpected server response: 404' }, 'to its own server it is a plain GET')
  const { port } = server.address() as AddressInfo
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
  t.equal(String(await readMessages(socket).next()), 'hello')
  await running.close()
  t.equal(server.listenerCount('upgrade'), 0)
})

t.test('an application whose routes all come after the plugin runs no hook of the plugin', async t => {
  const { app } = await start(t, app => { app.get('/', async () => 'plain') })
  t.notMatch(app.printRoutes({ includeHooks: true }), /refuseEarlyRoute/)
})

t.test('an application with earlier routes, none of them for GET, runs none either', async t => {
  const { app } = await start(t, { websocket: false }, async app => {
    app.post('/', async () => 'posted')
    await app.register(websocket)
  })
  t.notMatch(app.printRoutes({ includeHooks: true }), /refuseEarlyRoute/)
})
