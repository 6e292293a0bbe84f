import t from 'tap'
import { messagesOf } from '../../src/asyncapi/messages'
import { placed } from '../helpers/asyncapi'

const say = { type: 'object', properties: { type: { const: 'say' }, text: { type: 'string' } } }
const leave = { type: 'object', properties: { type: { enum: ['leave'] } } }

function read (given: Record<string, unknown>, shared?: Record<string, object>) {
  const { schema, schemas } = placed(given, shared)
  return messagesOf(schema, 'receive', schemas)
}

function names (given: Record<string, unknown>, shared?: Record<string, object>): string[] {
  return read(given, shared).map(({ name }) => name)
}

t.test('a union is one message for each branch, named by what tells them apart', async t => {
  const { Type } = await import('typebox')
  for (const keyword of ['anyOf', 'oneOf']) t.same(read({ [keyword]: [say, leave] }), [{ name: 'say', title: undefined, description: undefined, payload: say }, { name: 'leave', title: undefined, description: undefined, payload: leave }])
  t.same(names(Type.Union([Type.Object({ kind: Type.Literal('a') }), Type.Object({ kind: Type.Literal(2) })]) as unknown as Record<string, unknown>), ['a', '2'])
})

t.test('what is no union is one message', async t => {
  t.same(names(say), ['say'])
  t.same(names({ type: 'string' }), ['receive'])
  for (const schema of [{ anyOf: 'x' }, { anyOf: [true, say] }, { anyOf: [say], oneOf: [leave] }]) t.same(names(schema), ['receive'])
})

t.test('a name of its own comes first, by $id or title', async t => {
  t.same(names({ anyOf: [{ $id: 'Say', ...say }, { title: 'Good bye!', ...leave }, { ...say, title: 'x', $id: 'y' }] }), ['Say', 'Good_bye', 'x'])
  t.match(read({ title: 'Says', description: 'something', ...say }), [{ name: 'Says', title: 'Says', description: 'something' }])
})

t.test('what nothing tells apart has a number', async t => {
  const text = { type: 'object', properties: { text: { type: 'string' } } }
  for (const branches of [[text, say], [say, text], [say, say], [{ type: 'string' }, {}]]) t.same(names({ anyOf: branches }), ['receive_1', 'receive_2'])
  t.same(names({ anyOf: [text, { ...say, title: 'Say' }] }), ['receive_1', 'Say'])
})

t.test('of several properties that tell them apart it is type, else the first', async t => {
  const of = (type: string): object => ({ properties: { version: { const: `v${type}` }, [type === 'x' ? 'tag' : 'type']: { const: type } } })
  t.same(names({ anyOf: [of('a'), of('b')] }), ['a', 'b'])
  t.same(names({ anyOf: [of('a'), of('x')] }), ['va', 'vx'])
})

t.test('branches, constants and the union itself may be somewhere else', async t => {
  const shared = {
    messages: { $id: 'messages', anyOf: [{ $ref: 'say#' }, leave] },
    say: { $id: 'say', properties: { type: { $ref: 'types#/definitions/say' } } },
    types: { $id: 'types', definitions: { say: { const: 'says' } } }
  }
  t.match(read({ $ref: 'messages#' }, shared), [
    { name: 'say', payload: { $ref: '#/components/schemas/messages/anyOf/0' } },
    { name: 'leave', payload: { $ref: '#/components/schemas/messages/anyOf/1' } }
  ])
  t.match(read({ oneOf: [{ properties: { type: { $ref: 'types#/definitions/say' } } }, leave] }, shared), [{ name: 'says' }, { name: 'leave' }])
})

t.test('a union in a union is not a message, and one that contains itself says nothing more', async t => {
  t.same(names({ anyOf: [{ oneOf: [say, leave] }, { title: 'More' }] }), ['receive_1', 'receive_2', 'More'])
  t.same(names({ anyOf: [{ oneOf: [say] }, leave] }), ['say', 'leave'])
  t.match(read({ oneOf: [{ $ref: '#' }, leave] }), [{ name: 'leave', payload: { $ref: '#/components/schemas/given/oneOf/1' } }])
  t.same(read({ anyOf: [{ $ref: '#' }] }), [])
})

t.test('what stands beside a union holds for each branch, and what only explains it does not', async t => {
  const around = { type: 'object', required: ['type'] }
  const messages = read({ ...around, discriminator: { propertyName: 'type' }, title: 'All', oneOf: [say, leave] })
  t.same(messages.map(({ name, payload }) => ({ name, payload })), [
    { name: 'say', payload: { allOf: [around, say] } },
    { name: 'leave', payload: { allOf: [around, leave] } }
  ])
})
