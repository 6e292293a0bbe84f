// Types of messages by JSON schemas, which need no `as const` where they are written down in the route.

import type { JsonSchemaToTsProvider } from '@fastify/type-provider-json-schema-to-ts'
import { fastify } from 'fastify'
import websocket from 'fastify-wss'
import messages from 'fastify-wss/messages'
import { expectType } from '../expect-type.js'

const app = fastify().withTypeProvider<JsonSchemaToTsProvider>()
await app.register(websocket)
await app.register(messages)

app.get('/:id', {
  websocket: true,
  schema: {
    params: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'], additionalProperties: false },
    messages: {
      receive: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'], additionalProperties: false },
      send: { type: 'object', properties: { length: { type: 'integer' } }, required: ['length'], additionalProperties: false }
    }
  },
  onMessage: async (message, socket) => {
    expectType<{ text: string }>().from(message)
    await socket.sendMessage({ length: message.text.length })
    // @ts-expect-error: no such message
    await socket.sendMessage({ length: message.text })
  }
}, (socket, request) => { expectType<{ id: string }>().from(request.params) })

const receive = {
  anyOf: [
    { type: 'object', properties: { type: { const: 'say' }, text: { type: 'string' } }, required: ['type', 'text'], additionalProperties: false },
    { type: 'object', properties: { type: { const: 'leave' } }, required: ['type'], additionalProperties: false }
  ]
} as const
app.route({
  method: 'GET',
  url: '/union',
  websocket: true,
  schema: { messages: { receive } },
  handler: async socket => {
    for await (const message of socket.messages()) {
      expectType<{ type: 'say', text: string } | { type: 'leave' }>().from(message)
      if (message.type === 'say') message.text.trim()
    }
  }
})
