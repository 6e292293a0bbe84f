import t from 'tap'
import { compileUnion, readUnion } from '../../src/messages/union'
import { Leave, Say, typed } from '../helpers/messages'

const nothing = (): undefined => {}

t.test('a union is known by a property that has a string of its own in each branch', async t => {
  const branches = new Map([['say', Say], ['leave', Leave]])
  t.strictSame(readUnion({ anyOf: [Say, Leave] }, nothing), { property: 'type', branches })
  t.strictSame(readUnion({ oneOf: [Say, Leave], type: 'object', $id: 'any', title: 'Any' }, nothing), { property: 'type', branches })

  const other = { type: 'object', properties: { version: { const: 1 }, op: { enum: ['a'] } }, required: ['version', 'op'] }
  const another = { type: 'object', properties: { version: { const: 2 }, op: { enum: ['b'] } }, required: ['version', 'op'] }
  t.equal(readUnion({ anyOf: [other, another] }, nothing)?.property, 'op')
})

t.test('a branch may be a shared schema', async t => {
  const find = (id: string): unknown => ({ Say, Leave })[id]
  const union = readUnion({ anyOf: [{ $ref: 'Say#' }, { $ref: 'Leave' }] }, find)
  t.strictSame(union?.branches, new Map([['say', { $ref: 'Say#' }], ['leave', { $ref: 'Leave' }]]))
})

const none: Record<string, unknown> = {
  'is no object': 'Say#',
  'is a list': [Say, Leave],
  'is no union': Say,
  'has no branches': { anyOf: [] },
  'has two lists of them': { anyOf: [Say], oneOf: [Leave] },
  'has something of its own to say': { anyOf: [Say, Leave], minProperties: 2 },
  'is not one of objects': { anyOf: [Say, Leave], type: 'array' },
  'has a branch that is no object': { anyOf: [Say, { type: 'string' }] },
  'has a branch that allows other types': { anyOf: [Say, { properties: { type: { const: 'leave' } }, required: ['type'] }] },
  'has a branch that does not need the property': { anyOf: [Say, { ...Leave, required: [] }] },
  'has a branch where the property may be anything': { anyOf: [Say, { ...Leave, properties: { type: { type: 'string' } } }] },
  'has a branch where the property has two values': { anyOf: [Say, { ...Leave, properties: { type: { enum: ['leave', 'go'] } } }] },
  'has a branch where the property has a schema that is none': { anyOf: [Say, { ...Leave, properties: { type: true } }] },
  'has two branches with one value': { anyOf: [Say, typed('say')] },
  'has a branch that is somewhere else': { anyOf: [Say, { $ref: '#/definitions/Leave' }] },
  'has a branch that nobody knows': { anyOf: [Say, { $ref: 'Leave#' }] }
}

for (const [name, schema] of Object.entries(none)) {
  t.test(`a schema is left whole that ${name}`, async t => {
    t.equal(readUnion(schema, nothing), undefined)
    t.equal(compileUnion(schema, nothing, whole => () => whole, () => 'otherwise')({ type: 'say' }), schema)
  })
}

t.test('the branch that is meant is asked, and no other', async t => {
  const ask = compileUnion({ anyOf: [Say, Leave] }, nothing, schema => (value): unknown => ({ schema, value }), rule => rule)
  const value = { type: 'leave' }
  t.strictSame(ask(value), { schema: Leave, value })

  t.equal(ask({ type: 'go' }), '/type must be one of "say", "leave"')
  t.equal(ask({}), '/type must be one of "say", "leave"')
  for (const value of [null, 'say', 1, []]) t.equal(ask(value), ' must be object')
})

t.test('a union is left whole where a branch cannot do without what is around it', async t => {
  const union = { anyOf: [Say, Leave] }
  const ask = compileUnion(union, nothing, schema => {
    if (schema === Leave) throw new Error('what is that?')
    return () => schema
  }, () => 'otherwise')
  t.equal(ask({ type: 'leave' }), union)
})
