import t from 'tap'
import { describe, info } from '../helpers/asyncapi'

const receive = { type: 'object', properties: { type: { const: 'say' } } }
const websocket = true
function handler (): void {}

t.test('an application without websocket routes has a document too', async t => {
  const document = await describe(t, app => { app.get('/', async () => 'plain') })
  t.strictSame(document, { asyncapi: '3.0.0', info, defaultContentType: 'application/json', channels: {}, operations: {}, components: { schemas: {}, securitySchemes: {} } })
})

t.test('passes on what the options say, and gives nothing of the application out of hand', async t => {
  const servers = { production: { host: 'example.com', protocol: 'wss', tags: [{ name: 'live' }] } }
  const schema = { messages: { receive } }
  const document = await describe(t, app => { app.get('/', { websocket, schema: schema as object }, handler) }, { id: 'urn:example:rooms', servers, defaultContentType: 'application/msgpack' })
  t.match(document, { id: 'urn:example:rooms', servers, defaultContentType: 'application/msgpack' })
  t.not(document.servers?.production?.tags, servers.production.tags)
  t.not(document.channels.root?.messages.say.payload, receive)
})

t.test('each websocket route is a channel, over plain HTTP too or not', async t => {
  const { channels } = await describe(t, async app => {
    app.get('/only', { websocket }, handler)
    app.get('/options', { websocket: { maxPayload: 5 } }, handler)
    app.route({ method: 'GET', url: '/both', handler: async () => 'plain', wsHandler: handler })
    app.route({ method: ['GET', 'HEAD'], url: '/head', websocket, handler })
    app.get('/plain', async () => 'plain')
    await app.register(async scope => { scope.get('/inner', { websocket }, handler) }, { prefix: '/outer' })
  })
  t.same(Object.values(channels).map(({ address }) => address), ['/only', '/options', '/both', '/head', '/outer/inner'])
})

t.test('a route that the application hides is left out, one that only the plugin hides is not', async t => {
  const { channels } = await describe(t, app => {
    app.addHook('onRoute', route => { if (route.url === '/copied') route.schema = { ...route.schema } })
    app.get('/hidden', { websocket, schema: { hide: true } }, handler)
    app.get('/shown', { websocket, schema: { hide: false } }, handler)
    app.get('/default', { websocket, schema: {} }, handler)
    app.get('/copied', { websocket, schema: {} }, handler)
    app.route({ method: 'GET', url: '/both', schema: { hide: true }, handler: async () => 'plain', wsHandler: handler })
  })
  t.same(Object.keys(channels), ['shown', 'default', 'copied'])
})

t.test('every key is there once, whatever two routes are called', async t => {
  const { channels, operations } = await describe(t, async app => {
    const schema: object = { operationId: 'chat', messages: { receive } }
    app.get('/a', { websocket, schema }, handler)
    app.get('/b', { websocket, schema }, handler)
    app.get('/Chat', { websocket, schema: { messages: { receive } } as object }, handler)
    app.get('/x/:y?', { websocket, schema: { operationId: 'x' } }, handler)
    await app.register(async scope => { scope.get('/', { websocket }, handler) }, { prefix: '/scope' })
  })
  t.same(Object.entries(channels).map(([key, { address }]) => [key, address]), [['chat', '/a'], ['chat_2', '/b'], ['Chat', '/Chat'], ['x', '/x'], ['x_2', '/x/{y}'], ['scope', '/scope']])
  t.same(Object.entries(operations).map(([key, { channel }]) => [key, channel.$ref]), [['receiveChat', '#/channels/chat'], ['receiveChat_2', '#/channels/chat_2'], ['receiveChat_3', '#/channels/Chat']])
})

t.test('shared schemas are under components, whoever refers to them', async t => {
  const { components, channels } = await describe(t, app => {
    app.addSchema({ $id: 'id', type: 'string' })
    app.addSchema({ $id: 'unused', type: 'string' })
    const room = { type: 'object', properties: { room: { $ref: 'id#' } } }
    app.get('/:room', { websocket, schema: { params: room, querystring: room, messages: { receive: room, send: { $ref: 'id#' } } } as object }, handler)
  })
  t.same(components.schemas, { id: { title: 'id', type: 'string' } })
  t.match(channels.room, { bindings: { ws: { query: { properties: { room: { $ref: '#/components/schemas/id' } } } } }, messages: { id: { payload: { $ref: '#/components/schemas/id' } } } })
})
