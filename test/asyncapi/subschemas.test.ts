import t from 'tap'
import { isSchema, mapSubschemas, valueAt } from '../../src/asyncapi/subschemas'
import type { JsonSchema } from '../../src/asyncapi/subschemas'

function pointersOf (schema: JsonSchema): string[] {
  const pointers: string[] = []
  mapSubschemas(schema, (_each, pointer) => { pointers.push(pointer) })
  return pointers
}

t.test('finds each schema right beneath, by a pointer that leads there', async t => {
  const schema = {
    properties: { a: {}, 'b/c~d e': {}, $ref: {}, größe: {} },
    $defs: { properties: { type: 'object' } },
    items: [{}, {}],
    not: {},
    oneOf: [{}],
    additionalProperties: {}
  }
  const pointers = pointersOf(schema)
  t.same(pointers, ['/properties/a', '/properties/b~1c~0d%20e', '/properties/$ref', '/properties/gr%C3%B6%C3%9Fe', '/$defs/properties', '/items/0', '/items/1', '/not', '/oneOf/0', '/additionalProperties'])
  for (const pointer of pointers) t.ok(isSchema(valueAt(schema, pointer)), pointer)
})

t.test('what is a value, a boolean or a list of names is not one', async t => {
  t.same(pointersOf({ const: { properties: { a: {} } }, enum: [{}], default: {}, examples: [{}], additionalProperties: false, items: true, dependencies: { a: ['b'] }, properties: null, 'x-own': {} }), [])
})

t.test('gives a copy with others in their place', async t => {
  const schema = Object.freeze({ type: 'object', properties: Object.freeze({ a: { type: 'string' }, b: true }), enum: [{}] })
  t.same(mapSubschemas(schema, each => ({ was: each.type })), { type: 'object', properties: { a: { was: 'string' }, b: true }, enum: [{}] })
})

t.test('a pointer that leads nowhere leads to undefined', async t => {
  for (const pointer of ['/b', '/a/b/c', '/toString', '/a/toString']) t.equal(valueAt({ a: { b: 'text' } }, pointer), undefined, pointer)
  t.same(valueAt({ a: 1 }, ''), { a: 1 })
})
