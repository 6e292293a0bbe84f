import t from 'tap'
import { parametersOf, valuesOf } from '../../src/asyncapi/parameters'
import { placed } from '../helpers/asyncapi'

const NAMES = new Map([['id', 'id'], ['wildcard', '*']])

t.test('tells what can be told of a string', async t => {
  const { schema, schemas } = placed({
    type: 'object',
    properties: {
      id: { type: 'integer', description: 'Which room.', default: 1, enum: [1, 2], examples: [2] },
      '*': { type: 'string', minLength: 1 }
    }
  })
  t.same(JSON.parse(JSON.stringify(parametersOf(NAMES, schema, schemas))), { id: { description: 'Which room.', default: '1', enum: ['1', '2'], examples: ['2'] }, wildcard: {} })
})

t.test('finds it behind references', async t => {
  const { schema, schemas } = placed({ $ref: 'params#' }, {
    params: { $id: 'params', properties: { id: { $ref: 'id#', description: 'here' }, '*': { $ref: 'id#' } } },
    id: { $id: 'id', description: 'there', const: 'a' }
  })
  t.match(parametersOf(NAMES, schema, schemas), { id: { description: 'here', enum: ['a'] }, wildcard: { description: 'there' } })
})

t.test('a parameter that nobody describes is there all the same', async t => {
  const { schemas } = placed({})
  for (const params of [undefined, {}, { properties: { other: {} } }, { properties: { id: true } }]) t.same(parametersOf(new Map([['id', 'id']]), params, schemas), { id: {} })
})

t.test('a list of values may be said in several ways', async t => {
  const { schema, schemas } = placed({ anyOf: [{ const: 'a' }, { enum: ['b', 'c'] }, { oneOf: [{ $ref: 'd#' }] }] }, { d: { $id: 'd', const: 'd' } })
  t.same(valuesOf(schema, schemas), ['a', 'b', 'c', 'd'])
  for (const schema of [{ type: 'string' }, { anyOf: [{ const: 'a' }, { type: 'string' }] }, { anyOf: [true] }]) t.equal(valuesOf(schema, schemas), undefined)
})
