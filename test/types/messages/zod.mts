// Types of messages by Zod: what is received is what the schema gives.

import { fastify } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import websocket from 'fastify-wss'
import messages from 'fastify-wss/messages'
import { expectType } from '../expect-type.js'

type Received = { type: 'say', text: string, at: Date } | { type: 'leave' }

const receive = z.discriminatedUnion('type', [
  z.object({ type: z.literal('say'), text: z.string().default(''), at: z.iso.datetime().transform(text => new Date(text)) }),
  z.object({ type: z.literal('leave') })
])
const send = z.object({ type: z.literal('said'), text: z.string() })

const app = fastify().withTypeProvider<ZodTypeProvider>()
await app.register(websocket)
await app.register(messages)

app.get('/', { websocket: true, schema: { messages: { receive, send } } }, async socket => {
  for await (const message of socket.messages()) {
    expectType<Received>().from(message)
    if (message.type === 'say') await socket.sendMessage({ type: 'said', text: message.text })
  }
  // @ts-expect-error: no such message
  await socket.sendMessage({ type: 'sad' })
})
app.route({
  method: 'GET',
  url: '/callback',
  websocket: true,
  schema: { messages: { receive, send } },
  onMessage: message => { expectType<Received>().from(message) },
  handler: async socket => { await socket.sendMessage({ type: 'said', text: 'hello' }) }
})
