import t from 'tap'
import { routeOf } from '../helpers/asyncapi'

t.test('gives the schema of each part, as JSON Schema', async t => {
  const route = routeOf({ params: { title: 'params' }, querystring: { title: 'querystring' }, headers: { title: 'headers' }, messages: { receive: { title: 'receive' }, send: { title: 'send' } } })
  for (const part of ['params', 'querystring', 'headers', 'receive', 'send'] as const) t.same(route.schemaOf(part), { title: part })
})

t.test('takes query for querystring, as Fastify does', async t => {
  t.same(routeOf({ query: { title: 'query' } }).schemaOf('querystring'), { title: 'query' })
})

t.test('a part that is not there has none', async t => {
  for (const schema of [{}, { messages: null }, { messages: 'x' }, { messages: { receive: null } }]) t.equal(routeOf(schema).schemaOf('receive'), undefined)
  t.equal(routeOf(undefined as never).schemaOf('params'), undefined)
})

t.test('asks transform for each part', async t => {
  const route = routeOf({ params: 'a' }, { url: '/x', transform: (schema, about) => ({ schema, about }) })
  t.same(route.schemaOf('params'), { schema: 'a', about: { part: 'params', url: '/x' } })
})

t.test('tells what the application says of it', async t => {
  t.same(routeOf(undefined as never).description, {})
  t.match(routeOf({ summary: 'a' }).description, { summary: 'a' })
  t.same([{ messages: { reply: true } }, { messages: { reply: 1 } }, {}].map(schema => routeOf(schema).hasReply), [true, false, false])
  t.same([{ hide: true }, { hide: false }, {}].map(schema => routeOf(schema).isHidden), [true, false, false])
})

t.test('sees the schemas that its instance shares', async t => {
  const route = routeOf({}, { shared: { a: { $id: 'a' } } })
  t.same(route.shared.map(({ root }) => root), [{ $id: 'a' }])
  t.equal(route.shared, route.shared, 'read once')
})
