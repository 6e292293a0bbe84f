import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { Serializers } from '../../src/messages/serializers'
import { Said } from '../helpers/messages'

function create (t: Test): { app: FastifyInstance, serializers: Serializers } {
  const app = fastify()
  t.teardown(() => app.close())
  return { app, serializers: new Serializers(app) }
}

t.test('a value becomes text by a schema, with those that are shared', async t => {
  const { app, serializers } = create(t)
  const serialize = serializers.serializer({ $ref: 'Said#' })
  app.addSchema({ ...Said, $id: 'Said' })
  await app.ready()
  serializers.compile()
  t.equal(serialize({ type: 'said', text: 'hi', secret: 1 }), '{"type":"said","text":"hi"}')
  t.throws(() => serialize({ text: 'hi' }), { code: 'FST_WS_MESSAGES_UNSERIALIZABLE', message: 'the message cannot be sent: "type" is required!' })
})

t.test('it is compiled once, at the start or when it is called', async t => {
  const { app, serializers } = create(t)
  let compiled = 0
  app.setSerializerCompiler(() => {
    compiled++
    return JSON.stringify
  })
  app.setValidatorCompiler(() => () => true)
  const serialize = serializers.serializer({})
  t.equal(serialize([1]), '[1]')
  serializers.compile()
  t.equal(serialize([2]), '[2]')
  t.equal(compiled, 1)
})

t.test('an invalid schema is an error at the start', async t => {
  const { app, serializers } = create(t)
  serializers.serializer({ type: 'nonsense' })
  await app.ready()
  t.throws(() => serializers.compile(), { code: 'FST_WS_MESSAGES_INVALID_SCHEMA', message: /^the schema of the messages app\.messages\.serializer\(\): / })
})
