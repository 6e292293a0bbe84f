import fastify from 'fastify'
import t from 'tap'
import websocket from '../../src'
import messages from '../../src/messages'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { nextJson, Said, say, schema, startMessages } from '../helpers/messages'

checkLeaksAtEnd(t)

t.test('it has to be registered behind the websockets', async t => {
  const app = fastify()
  app.register(messages)
  await t.rejects(async () => { await app.ready() }, { code: 'FST_WS_MESSAGES_NO_WEBSOCKET' })
})

t.test('wrong options reject the registration', async t => {
  const app = fastify()
  await app.register(websocket)
  app.register(messages, { invalid: 'ignore' as never })
  await t.rejects(async () => { await app.ready() }, { code: 'FST_WS_INVALID_OPTION' })
  await app.close()
})

t.test('its options hold for all routes behind it, and those of a route before them', async t => {
  const running = await startMessages(t, { messages: { invalid: 'reply' } }, app => {
    app.get('/reply', { websocket: true, schema, onMessage () {} }, () => {})
    app.get('/close', { websocket: true, schema, onMessage () {}, messages: { invalid: 'close' } }, () => {})
  })
  const client = await running.connect('/reply')
  say(client, 5, { text: [] })
  t.match(await nextJson(client), { error: { code: 'FST_WS_MESSAGES_INVALID', message: 'message/text must be string' } })
  const closing = await running.connect('/close')
  closing.socket.send('{')
  t.same(await closing.inbox.closed, { code: 1007, reason: 'message is not JSON' })
})

t.test('it may be there for one scope alone, and for two', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  for (const prefix of ['/a', '/b']) {
    app.register(async scope => {
      await scope.register(messages)
      scope.get('/', { websocket: true, schema }, async socket => {
        for await (const message of socket.messages()) await socket.sendMessage({ ...message as object, type: 'said' })
      })
    }, { prefix })
  }
  app.get('/none', { websocket: true, schema }, socket => { socket.messages() })
  for (const path of ['/a', '/b']) {
    const socket = await app.injectWS(path)
    const said = new Promise(resolve => { socket.once('message', data => { resolve(JSON.parse(String(data))) }) })
    socket.send('{"type":"say","text":"hi"}')
    t.same(await said, { type: 'said', text: 'hi' })
    socket.terminate()
  }
})

t.test('an application serializes what goes to many', async t => {
  const running = await startMessages(t, {}, () => {})
  t.equal(running.app.messages.serializer(Said)({ type: 'said', text: 'hi', secret: 1 }), '{"type":"said","text":"hi"}')

  const app = fastify()
  await app.register(websocket)
  await app.register(messages)
  app.messages.serializer({ type: 'nonsense' })
  await t.rejects(async () => { await app.ready() }, { code: 'FST_WS_MESSAGES_INVALID_SCHEMA' })
  await app.close()
})
