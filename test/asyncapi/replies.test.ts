import t from 'tap'
import { correlate } from '../../src/asyncapi/replies'
import { describeRoute, placed } from '../helpers/asyncapi'

const text = { type: 'object', properties: { text: { type: 'string' } }, additionalProperties: false }

function correlated (given: Record<string, unknown>, shared?: Record<string, object>) {
  const { schema, schemas } = placed(given, shared)
  return correlate({ name: 'a', payload: schema }, schemas)
}

t.test('a message may carry both ids, whatever else its schema forbids', async t => {
  const shared = { text: { $id: 'text', ...text, definitions: { a: {} } } }
  for (const message of [correlated(text), correlated({ $ref: 'text#' }, shared)]) {
    t.match(message, { name: 'a', correlationId: { location: '$message.payload#/requestId' }, payload: { ...text, properties: { text: { type: 'string' }, requestId: { type: 'string' }, replyTo: { type: 'string' } } } })
    t.notOk('definitions' in message.payload)
  }
})

t.test('one that has to have replyTo is a reply', async t => {
  t.match(correlated({ ...text, required: ['text', 'replyTo'] }), { correlationId: { location: '$message.payload#/replyTo' } })
})

t.test('what the schema says of an id stays', async t => {
  t.match(correlated({ properties: { requestId: { type: 'string', format: 'uuid' } } }), { payload: { properties: { requestId: { type: 'string', format: 'uuid' }, replyTo: {} } } })
})

t.test('a schema without properties is left whole, and what is no object has no ids', async t => {
  const both = { allOf: [{ type: 'object' }, text] }
  t.match(correlated(both), { payload: { allOf: [both, { type: 'object', properties: { requestId: {}, replyTo: {} } }] } })
  t.same(correlated({ type: 'string' }), { name: 'a', payload: { type: 'string' } })
})

t.test('a route without replies has no ids, one with them has them both ways', async t => {
  const title = 'Text'
  for (const [reply, location] of [[undefined, undefined], [false, undefined], [true, '$message.payload#/requestId']] as const) {
    const { channels } = await describeRoute(t, { messages: { receive: { ...text, title }, send: { ...text, title: 'Other' }, reply } })
    t.same([channels.root?.messages.Text.correlationId?.location, channels.root?.messages.Other.correlationId?.location], [location, location])
  }
})
