import t from 'tap'
import { addressesOf } from '../../src/asyncapi/address'
import { Channel } from '../../src/asyncapi/channel'
import { Schemas } from '../../src/asyncapi/schemas'
import { describe, describeRoute, routeOf } from '../helpers/asyncapi'

const say = { type: 'object', properties: { type: { const: 'say' } } }

function channelOf (schema: object, url = '/rooms/:id'): Channel {
  const [address = { address: '', parameters: new Map() }] = addressesOf(url)
  return new Channel(routeOf(schema, { url }), address, new Schemas())
}

t.test('is called by its operationId, else by its address', async t => {
  t.equal(channelOf({ operationId: 'joinRoom' }).name, 'joinRoom')
  t.equal(channelOf({ operationId: 5 }).name, 'roomsId')
})

t.test('a message that goes both ways is one, and others of its name are others', async t => {
  const channel = channelOf({ messages: { receive: say, send: { anyOf: [say, { title: 'say', type: 'string' }, { type: 'object', properties: { type: { const: 'say' } } }] } } })
  t.same(channel.messagesFor('receive'), ['say'])
  t.same(channel.messagesFor('send'), ['send_roomsId_1', 'say_2', 'send_roomsId_3'])
  const both = channelOf({ messages: { receive: say, send: structuredClone(say) } })
  t.same([both.messagesFor('receive'), both.messagesFor('send')], [['say'], ['say']])
})

t.test('messages of a route with replies carry their ids', async t => {
  const channel = channelOf({ messages: { receive: say, reply: true } })
  t.same(channel.messagesFor('receive'), ['say'])
  t.match(channel.describe(), { messages: { say: { correlationId: {}, payload: { properties: { replyTo: {} } } } } })
})

t.test('has no messages where none are declared', async t => {
  t.equal(channelOf({}).messagesFor('send'), undefined)
  t.match(channelOf({}).describe(), { messages: {} })
})

t.test('tells what the request of the handshake is', async t => {
  const { Type } = await import('typebox')
  const { channels } = await describe(t, app => {
    app.get('/rooms/:id(^\\d+$)/*', {
      websocket: true,
      schema: {
        summary: 'A room',
        description: 'People talk there.',
        tags: ['rooms', 'people'],
        params: Type.Object({ id: Type.Integer({ description: 'Which.' }) }),
        querystring: Type.Object({ since: Type.Optional(Type.Integer()) }),
        headers: Type.Object({ 'x-name': Type.String() })
      }
    }, () => {})
  })
  t.same(channels, {
    roomsIdWildcard: {
      address: '/rooms/{id}/{wildcard}',
      summary: 'A room',
      description: 'People talk there.',
      tags: [{ name: 'rooms' }, { name: 'people' }],
      parameters: { id: { description: 'Which.' }, wildcard: {} },
      messages: {},
      bindings: {
        ws: {
          method: 'GET',
          query: { type: 'object', properties: { since: { type: 'integer' } } },
          headers: { type: 'object', properties: { 'x-name': { type: 'string' } }, required: ['x-name'] },
          bindingVersion: '0.1.0'
        }
      }
    }
  })
})

t.test('tells no more than was said', async t => {
  const { channels } = await describeRoute(t, {})
  t.strictSame(channels, { root: { address: '/', messages: {}, bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } } } })
})
