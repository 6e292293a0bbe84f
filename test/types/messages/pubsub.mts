// Messages and pub/sub in one program: a socket has what both add, and a topic the types that its schema has.

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { fastify } from 'fastify'
import { Type, type Static } from 'typebox'
import websocket from 'fastify-wss'
import messages from 'fastify-wss/messages'
import pubsub from 'fastify-wss/pubsub'
import { expectType } from '../expect-type.js'

const Said = Type.Object({ type: Type.Literal('said'), text: Type.String() })

declare module 'fastify-wss/pubsub' {
  interface Topics { [room: `room/${string}`]: Static<typeof Said> }
}

const app = fastify().withTypeProvider<TypeBoxTypeProvider>()
await app.register(websocket)
await app.register(messages)
await app.register(pubsub, { serialize: app.messages.serializer(Said) })

app.get('/room/:id', {
  websocket: true,
  schema: { params: Type.Object({ id: Type.String() }), messages: { receive: Type.Object({ text: Type.String() }), send: Said } }
}, async (socket, request) => {
  const topic = `room/${request.params.id}` as const
  await socket.subscribe(topic)
  for await (const { text } of socket.messages()) {
    expectType<string>().from(text)
    app.pubsub.publish(topic, { type: 'said', text }, { except: socket })
    // @ts-expect-error: not what this topic has
    app.pubsub.publish(topic, { text })
  }
})
