import t from 'tap'
import { describe, placed } from '../helpers/asyncapi'

const shared = {
  user: { $id: 'user', type: 'object', properties: { id: { $ref: 'ids#/definitions/id' }, friends: { type: 'array', items: { $ref: '#' } } } },
  ids: { $id: 'ids', definitions: { id: { type: 'string' } } },
  'http://example.com/common.json': { $id: 'http://example.com/common.json', $defs: { name: { $anchor: 'name', type: 'string' } } }
}

t.test('a schema that refers to nothing stays where it is, less its names', async t => {
  const { schema, schemas } = placed({ $schema: 'https://json-schema.org/draft/2020-12/schema', $id: 'Say', type: 'object', properties: { $id: { const: 1 }, at: { $anchor: 'x', $id: '#y' } } })
  t.same(schema, { title: 'Say', type: 'object', properties: { $id: { const: 1 }, at: {} } })
  t.equal(schemas.components.size, 0)
  t.same(placed({ $id: 'a', title: 'Says' }).schema, { title: 'Says' })
})

t.test('what is shared is under components, with what it refers to itself, once', async t => {
  const { schema, schemas } = placed({ items: [{ $ref: 'user#' }, { $ref: 'user' }, { $ref: 'ids#/definitions/id', description: 'beside it' }] }, shared)
  t.same(schema, { items: [{ $ref: '#/components/schemas/user' }, { $ref: '#/components/schemas/user' }, { $ref: '#/components/schemas/ids/definitions/id', description: 'beside it' }] })
  t.same(Object.fromEntries(schemas.components), {
    ids: { title: 'ids', definitions: { id: { type: 'string' } } },
    user: { title: 'user', type: 'object', properties: { id: { $ref: '#/components/schemas/ids/definitions/id' }, friends: { type: 'array', items: { $ref: '#/components/schemas/user' } } } }
  })
})

t.test('URIs and anchors are followed too', async t => {
  const { schema, schemas } = placed({ anyOf: [{ $ref: 'http://example.com/common.json#name' }, { $ref: 'http://example.com/common.json#/$defs/name' }] }, shared)
  t.same(schema, { anyOf: [{ $ref: '#/components/schemas/http_example.com_common.json/$defs/name' }, { $ref: '#/components/schemas/http_example.com_common.json/$defs/name' }] })
  t.same([...schemas.components.keys()], ['http_example.com_common.json'])
})

t.test('inside of a schema with a URI an $id as it is finds its schema', async t => {
  const { schemas } = placed({ $ref: 'http://example.com/a.json' }, { ...shared, a: { $id: 'http://example.com/a.json', $ref: 'user#' } })
  t.same(schemas.components.get('http_example.com_a.json'), { $ref: '#/components/schemas/user', title: 'http://example.com/a.json' })
})

t.test('a schema that refers to itself moves to components, where its references hold', async t => {
  const tree = { type: 'object', definitions: { leaf: { type: 'string' } }, properties: { leaf: { $ref: '#/definitions/leaf' }, children: { items: { $ref: '#' } } } }
  const { schema, schemas } = placed(tree)
  t.same(schema, { $ref: '#/components/schemas/given' })
  t.same(schemas.components.get('given'), { ...tree, properties: { leaf: { $ref: '#/components/schemas/given/definitions/leaf' }, children: { items: { $ref: '#/components/schemas/given' } } } })
  t.same(schemas.place(structuredClone(tree), 'other', { url: '/', shared: [] }), schema, 'and an equal one is the same')
  t.same(schemas.place({ ...tree, title: 'Tree' }, 'other', { url: '/', shared: [] }), { $ref: '#/components/schemas/Tree' })
  t.same(schemas.place({ ...tree, title: 'Tree', $id: 'tree' }, 'other', { url: '/', shared: [] }), { $ref: '#/components/schemas/tree' })
})

t.test('within a schema with an $id of its own a reference is relative to that', async t => {
  const node = { $id: 'node', type: 'object', properties: { next: { $ref: '#' }, again: { $ref: 'node' } } }
  const { schemas } = placed({ properties: { first: node } })
  const reference = { $ref: '#/components/schemas/given/properties/first' }
  t.same(schemas.components.get('given'), { properties: { first: { title: 'node', type: 'object', properties: { next: reference, again: reference } } } })
})

t.test('a reference is followed to its end, which may be nowhere', async t => {
  const { schema, schemas } = placed({ $ref: 'alias#' }, { ...shared, alias: { $id: 'alias', $ref: 'ids#/definitions/id' } })
  t.same(schemas.follow(schema), { schema: { type: 'string' }, reference: '#/components/schemas/ids/definitions/id' })
  t.same(schemas.follow({ type: 'string' }), { schema: { type: 'string' }, reference: undefined })
  const loop = placed({ $ref: '#' })
  t.match(loop.schemas.follow(loop.schema), { schema: { $ref: '#/components/schemas/given' } })
  t.same(schemas.follow({ $ref: '#/components/schemas/none' }).schema, {})
})

t.test('what refers to nothing that is there is an error that names the route and the reference', async t => {
  for (const $ref of ['none#', 'ids#/definitions/none', 'ids#none', '#/definitions/none', 'http://example.com/none.json']) {
    t.throws(() => placed({ properties: { a: { $ref } } }, shared), { code: 'FST_WS_ASYNCAPI_UNKNOWN_REFERENCE', message: `the schema of the route / refers to ${$ref}, which is not there` })
  }
})

t.test('scopes share what is equal, and keep apart what has the same name only', async t => {
  const receive = { $ref: 'text#' }
  const { components, channels } = await describe(t, async app => {
    app.addSchema({ $id: 'text', type: 'string' })
    app.get('/a', { websocket: true, schema: { messages: { receive } } as object }, () => {})
    await app.register(async scope => {
      scope.addSchema({ $id: 'more', type: 'string' })
      scope.get('/b', { websocket: true, schema: { messages: { receive, send: { $ref: 'more#' } } } as object }, () => {})
    })
    await app.register(async scope => {
      scope.addSchema({ $id: 'more', type: 'number' })
      scope.get('/c', { websocket: true, schema: { messages: { send: { $ref: 'more#' } } } as object }, () => {})
    })
  })
  t.same(components.schemas, { text: { title: 'text', type: 'string' }, more: { title: 'more', type: 'string' }, more_2: { title: 'more', type: 'number' } })
  t.same(channels.b?.messages.more.payload, { $ref: '#/components/schemas/more' })
  t.same(channels.c?.messages.more.payload, { $ref: '#/components/schemas/more_2' })
})
