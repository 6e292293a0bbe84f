import t from 'tap'
import { z } from 'zod'
import { toJsonSchema } from '../../src/asyncapi/json-schema'

t.test('JSON Schema, and what is it already, is taken as it is', async t => {
  const { Type } = await import('typebox')
  const schema = { type: 'string' }
  t.equal(toJsonSchema(schema, 'params', '/', undefined), schema)
  t.match(JSON.parse(JSON.stringify(toJsonSchema(Type.Object({ a: Type.String() }), 'send', '/', undefined))), { type: 'object', properties: { a: { type: 'string' } } })
})

t.test('a schema of Zod is its input where the application receives, and its output where it sends', async t => {
  const schema = z.object({ a: z.number().default(1) })
  t.match(toJsonSchema(schema, 'receive', '/', undefined), { type: 'object', properties: { a: { type: 'number' } }, required: undefined })
  t.match(toJsonSchema(schema, 'send', '/', undefined), { type: 'object', required: ['a'] })
})

t.test('what z.toJSONSchema gives is JSON Schema, as it was asked for', async t => {
  const schema = z.toJSONSchema(z.object({ at: z.date() }), { target: 'draft-7', unrepresentable: 'any' })
  t.equal(toJsonSchema(schema, 'send', '/', undefined), schema)
  t.throws(() => toJsonSchema(z.date(), 'send', '/', undefined), { message: /Date cannot be represented/ })
})

t.test('one that has its JSON Schema behind valueOf gives it', async t => {
  class Fluent { valueOf (): object { return { type: 'string' } } }
  t.same(toJsonSchema(new Fluent(), 'send', '/', undefined), { type: 'string' })
})

t.test('transform has its say first, and is told what for', async t => {
  const calls: unknown[] = []
  const transform = (...args: unknown[]): unknown => { calls.push(args); return args[0] === 'text' ? { type: 'string' } : z.string() }
  t.same(toJsonSchema('text', 'headers', '/a', transform), { type: 'string' })
  t.match(toJsonSchema('zod', 'send', '/b', transform), { type: 'string' })
  t.same(calls, [['text', { part: 'headers', url: '/a' }], ['zod', { part: 'send', url: '/b' }]])
})

t.test('what is no JSON schema and cannot become one is an error that names the route', async t => {
  const vendor = Object.assign(() => {}, { '~standard': { vendor: 'another', version: 1 } })
  for (const schema of ['string', 5, true, [], () => {}, { '~standard': { vendor: 'another' } }, vendor]) {
    t.throws(() => toJsonSchema(schema, 'receive', '/a', undefined), { code: 'FST_WS_ASYNCAPI_NO_JSON_SCHEMA', message: /"receive" of the route \/a is no JSON schema/ })
  }
  t.throws(() => toJsonSchema({}, 'receive', '/a', () => undefined), { code: 'FST_WS_ASYNCAPI_NO_JSON_SCHEMA' })
  t.match(toJsonSchema(Object.assign(() => {}, { '~standard': { vendor: 'functions', jsonSchema: { input: () => ({ type: 'null' }) } } }), 'params', '/', undefined), { type: 'null' })
})
