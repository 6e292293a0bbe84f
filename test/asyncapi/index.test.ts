import fastify from 'fastify'
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import swagger from '@fastify/swagger'
import t from 'tap'
import { z } from 'zod'
import websocket from '../../src'
import plugin, { asyncapi } from '../../src/asyncapi'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { build, describe, info, problemsOf } from '../helpers/asyncapi'

checkLeaksAtEnd(t)

t.test('is one function under three names', async t => {
  t.equal(require('../../src/asyncapi'), plugin)
  t.equal(require('../../src/asyncapi').default, plugin)
  t.equal(require('../../src/asyncapi').asyncapi, asyncapi)
})

t.test('needs the websockets, on the same instance or above, and options that make sense', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => { await app.register(asyncapi, { info }) }, { code: 'FST_WS_ASYNCAPI_NO_WEBSOCKET' })
  const other = fastify()
  t.teardown(() => other.close())
  await other.register(websocket)
  await t.rejects(async () => { await other.register(asyncapi, {} as never) }, { code: 'FST_WS_INVALID_OPTION' })
})

t.test('is registered once for an instance and those beneath', async t => {
  for (const isBeneath of [false, true]) {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(websocket)
    await app.register(asyncapi, { info })
    await t.rejects(async () => {
      if (isBeneath) await app.register(async scope => { await scope.register(asyncapi, { info }) })
      else await app.register(asyncapi, { info })
    }, { code: 'FST_WS_ASYNCAPI_ALREADY_REGISTERED' })
  }
})

t.test('scopes beside each other have a document each', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  const documents: Array<() => string[]> = []
  for (const prefix of ['/a', '/b']) {
    await app.register(async scope => {
      await scope.register(asyncapi, { info, routePrefix: '/asyncapi' })
      scope.get('/room', { websocket: true }, () => {})
      documents.push(() => Object.values(scope.asyncapi().channels).map(({ address }) => address))
    }, { prefix })
  }
  await app.ready()
  t.same(documents.map(read => read()), [['/a/room'], ['/b/room']])
  t.notOk(app.hasDecorator('asyncapi'))
  t.match((await app.inject('/b/asyncapi.json')).json(), { channels: { bRoom: {} } })
})

t.test('sees the routes that are declared after it', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  app.get('/early', { websocket: true }, () => {})
  await app.register(asyncapi, { info })
  app.get('/late', { websocket: true }, () => {})
  await app.ready()
  t.same(Object.keys(app.asyncapi().channels), ['late'])
})

t.test('has a document when the application is ready, the same one each time', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(asyncapi, { info })
  for (const yaml of [false, true]) t.throws(() => app.asyncapi({ yaml }), { code: 'FST_WS_ASYNCAPI_NOT_READY' })
  let atReady: unknown
  app.addHook('onReady', async () => { atReady = app.asyncapi() })
  await app.ready()
  t.equal(app.asyncapi(), atReady)
  t.equal(app.asyncapi({ yaml: false }), atReady)
  t.match(app.asyncapi({ yaml: true }), /^asyncapi: 3\.0\.0\n/)
})

t.test('a schema that cannot be described is an error each time', async t => {
  const app = await build(t, app => { app.get('/', { websocket: true, schema: { messages: { receive: 'text' } } as object }, () => {}) })
  for (const yaml of [false, true]) t.throws(() => app.asyncapi({ yaml }), { code: 'FST_WS_ASYNCAPI_NO_JSON_SCHEMA' })
})

t.test('describes the schemas of Zod, beside a description of the HTTP API', async t => {
  const receive = z.discriminatedUnion('type', [z.object({ type: z.literal('say'), text: z.string().max(5) }), z.object({ type: z.literal('leave') })])
  const document = await describe(t, async app => {
    app.setValidatorCompiler(validatorCompiler)
    app.setSerializerCompiler(serializerCompiler)
    await app.register(swagger, { openapi: {}, transform: jsonSchemaTransform })
    app.get('/rooms/:id', { websocket: true, schema: { params: z.object({ id: z.string().meta({ description: 'Which.' }) }), messages: { receive } } as object }, () => {})
    app.addHook('onReady', async () => { t.same(app.swagger().paths, {}) })
  })
  t.match(document.channels.roomsId, {
    parameters: { id: { description: 'Which.' } },
    messages: { say: { payload: { properties: { text: { type: 'string', maxLength: 5 } } } }, leave: {} }
  })
})

t.test('transform makes JSON schemas of what cannot tell itself', async t => {
  const transform = (schema: unknown) => schema instanceof z.ZodType ? z.toJSONSchema(schema, { target: 'draft-7', unrepresentable: 'any' }) : schema
  const app = await build(t, app => {
    app.get('/', { websocket: true, schema: { messages: { receive: z.object({ at: z.date() }), send: { title: 'Text', type: 'string' } } } as object }, () => {})
  }, { transform })
  t.same(await problemsOf(app.asyncapi()), [])
  t.match(app.asyncapi().channels.root?.messages, { receive_root: { payload: { properties: { at: {} } } }, Text: {} })
})
