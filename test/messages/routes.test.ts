import t from 'tap'
import { once } from 'node:events'
import fastify from 'fastify'
import websocket from '../../src'
import messages from '../../src/messages'
import { channelOf } from '../../src/messages/routes'
import type { RouteSocket } from '../../types'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { nextJson, Said, say, schema, startMessages } from '../helpers/messages'
import { connectBy, flushed } from '../helpers/ways'

checkLeaksAtEnd(t)

t.test('a route that declares messages gets a channel for each connection, before its handler runs, and others none', async t => {
  const seen: Array<[string, boolean]> = []
  const look = (name: string) => (socket: RouteSocket): void => { seen.push([name, channelOf(socket) !== undefined]) }
  const running = await startMessages(t, {}, app => {
    app.get('/', { websocket: true, schema }, look('messages'))
    app.route({ method: ['GET', 'HEAD'], url: '/both', schema, handler: async () => 'plain', wsHandler: look('both') })
    app.get('/plain', { websocket: true }, look('plain'))
  })
  for (const path of ['/', '/both', '/plain']) await running.connect(path)
  t.strictSame(seen, [['messages', true], ['both', true], ['plain', false]])
  t.equal((await running.app.inject({ method: 'HEAD', url: '/both' })).statusCode, 200)
})

t.test('the handler goes on having its instance, its request and its result', async t => {
  const running = await startMessages(t, {}, app => {
    app.register(async scope => {
      scope.decorate('word', 'inner')
      scope.get('/', { websocket: true, schema }, async function (socket, request) {
        await socket.sendMessage({ type: 'said', text: `${Reflect.get(this, 'word')} ${request.url}` })
        throw new Error('by the handler')
      })
    }, { prefix: '/scope' })
  })
  const client = await running.connect('/scope')
  t.same(await nextJson(client), { type: 'said', text: 'inner /scope' })
  t.equal((await client.inbox.closed).code, 1006)
  await running.logged('by the handler')
})

for (const kind of ['a handler', 'an async handler']) {
  t.test(`onMessage begins when ${kind} is done`, async t => {
    const gate = deferred()
    const told: unknown[] = []
    const running = await startMessages(t, {}, app => {
      app.decorate('word', 'inner')
      app.get('/', {
        websocket: true,
        schema,
        async onMessage (message, socket, request) {
          told.push(Reflect.get(this, 'word'), request.url)
          await socket.sendMessage({ type: 'said', text: (message as { text: string }).text })
        }
      }, kind === 'a handler'
        ? () => { told.push('handler') }
        : async () => {
          await gate.promise
          told.push('handler')
        })
    })
    const client = await running.connect()
    say(client, 'early')
    await flushed(client.socket)
    gate.resolve(undefined)
    t.same(await nextJson(client), { type: 'said', text: 'early' })
    t.strictSame(told, ['handler', 'inner', '/'])
  })
}

t.test('a handler that fails never hands messages to onMessage', async t => {
  const told: unknown[] = []
  const gate = deferred()
  const running = await startMessages(t, { websocket: { errorHandler: (error, socket) => { socket.close(4000, error.message) } } }, app => {
    app.get('/', { websocket: true, schema, onMessage: message => { told.push(message) } }, async () => {
      await gate.promise
      throw new Error('no')
    })
  })
  const client = await running.connect()
  say(client, 'early')
  await flushed(client.socket)
  gate.resolve(undefined)
  t.same(await client.inbox.closed, { code: 4000, reason: 'no' })
  t.strictSame(told, [])
})

t.test('where onMessage reads nobody else does', async t => {
  const running = await startMessages(t, {}, app => {
    app.get('/', { websocket: true, schema, onMessage () {} }, socket => { socket.messages() })
  })
  const { inbox } = await running.connect()
  t.equal((await inbox.closed).code, 1006)
  await running.logged('the messages of this socket are read already')
})

t.test('an invalid schema fails at the start, as of any route', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(messages)
  app.get('/room', { websocket: true, schema: { messages: { receive: { type: 'nonsense' } } } }, () => {})
  await t.rejects(async () => { await app.ready() }, { code: 'FST_WS_MESSAGES_INVALID_SCHEMA', message: /receive of \/room: / })
})

t.test('a route that serves no websockets declares no messages', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(messages)
  t.throws(() => app.get('/room', { schema }, async () => 'plain'), { code: 'FST_WS_MESSAGES_NO_WEBSOCKET_ROUTE', message: /the route GET \/room declares messages/ })
})

t.test('a client of an onReady hook may come before the schemas are compiled', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  const told: unknown[] = []
  app.addHook('onReady', async () => {
    const client = await connectBy(t, 'injectWS', { app } as never)
    say(client, 'early')
    told.push(await nextJson(client))
    client.socket.close()
    await once(client.socket, 'close')
  })
  await app.register(messages)
  app.get('/', { websocket: true, schema: { messages: { send: Said } } }, async socket => {
    for await (const message of socket.messages()) await socket.sendMessage({ ...message as object, type: 'said' })
  })
  await app.ready()
  t.strictSame(told, [{ type: 'said', text: 'early' }])
})
