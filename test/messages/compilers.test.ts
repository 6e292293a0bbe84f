import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { compilersOf } from '../../src/messages/compilers'
import { Say } from '../helpers/messages'

const place = { method: 'GET', url: '/here' }
const Number = { type: 'object', properties: { n: { type: 'number' } } }

async function ready (t: Test, app: FastifyInstance): Promise<void> {
  t.teardown(() => app.close())
  await app.ready()
}

t.test("Fastify's own are made where no route has had use for them, with the application's options and schemas", async t => {
  const app = fastify({ ajv: { customOptions: { coerceTypes: false } }, serializerOpts: { rounding: 'floor' } })
  app.addSchema({ ...Say, $id: 'Say' })
  await ready(t, app)

  const { validator, serializer } = compilersOf(app, place)
  t.equal(validator(Number)({ n: '1' }), false)
  t.equal(validator({ $ref: 'Say#' })({ type: 'say', text: 'hi' }), true)
  t.equal(validator({ $ref: 'Say#' })({ type: 'say' }), false)
  t.equal(serializer({ type: 'integer' })(1.9), '1')
})

t.test('those of the application hold, those of a scope in it, and those of a route before all', async t => {
  const told: unknown[] = []
  const compiler = (name: string) => (route: object): never => {
    told.push([name, route])
    return (() => true) as never
  }
  const app = fastify()
  app.setValidatorCompiler(compiler('application'))
  app.setSerializerCompiler(compiler('application'))
  let scope: FastifyInstance = app
  app.register(async inner => {
    scope = inner
    inner.setValidatorCompiler(compiler('scope'))
  })
  await ready(t, app)

  const schema = {}
  compilersOf(app, place).validator(schema)
  compilersOf(app, place).serializer(schema)
  compilersOf(scope, place).validator(schema)
  compilersOf(scope, place).serializer(schema)
  const ofRoute = compilersOf(scope, { ...place, validatorCompiler: compiler('route'), serializerCompiler: compiler('route') })
  ofRoute.validator(schema)
  ofRoute.serializer(schema)
  const validated = { schema, ...place, httpPart: 'body' }
  const serialized = { schema, ...place, httpStatus: '200' }
  t.strictSame(told, [
    ['application', validated], ['application', serialized],
    ['scope', validated], ['application', serialized],
    ['route', validated], ['route', serialized]
  ])
})

t.test('a Fastify that keeps them elsewhere is told apart', async t => {
  const compiler = (): never => (() => true) as never
  const elsewhere = (compilers: object): FastifyInstance => Object.assign(Object.create(null), compilers)
  t.throws(() => compilersOf(elsewhere({}), place), { code: 'FST_WS_MESSAGES_NO_COMPILER' })
  t.throws(() => compilersOf(elsewhere({ validatorCompiler: compiler }), place), { code: 'FST_WS_MESSAGES_NO_COMPILER' })
  t.equal(compilersOf(elsewhere({ validatorCompiler: compiler, serializerCompiler: compiler }), place).validator({})(1), true)
})
