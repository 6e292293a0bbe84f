// A room whose messages have schemas: what clients send is checked at run time and typed at compile time, and so is what they are
// sent. The room asks who comes in for a name, and whoever is in may ask how many they are: requests, both ways.
//
//   node examples/messages.mts        (Node 22.18 or later runs TypeScript as it is)
//   npx wscat --connect 'ws://localhost:3000/room/kitchen'
//   < {"requestId":"1","type":"ask","question":"name"}
//   > {"replyTo":"1","type":"name","name":"Ada"}
//   > {"type":"say","text":"hello"}
//   > {"requestId":1,"type":"count"}                the reply to it has "replyTo":1
//   > {"type":"say","text":""}                      closes the connection, and the close frame says why
//
// http://localhost:3000/asyncapi shows whoever writes a client what there is to say.
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyServerOptions } from 'fastify'
import websocket from 'fastify-wss'
import asyncapi from 'fastify-wss/asyncapi'
import messages from 'fastify-wss/messages'
import pubsub from 'fastify-wss/pubsub'
import { type Static, Type } from 'typebox'

const Text = Type.String({ minLength: 1, maxLength: 500 })
const Name = Type.String({ minLength: 1, maxLength: 24 })

const Params = Type.Object({ id: Type.String({ maxLength: 50 }) })
const FromClients = Type.Union([
  Type.Object({ type: Type.Literal('name'), name: Name }),
  Type.Object({ type: Type.Literal('say'), text: Text }),
  Type.Object({ type: Type.Literal('count') }),
  Type.Object({ type: Type.Literal('leave') })
])

const Ask = Type.Object({ type: Type.Literal('ask'), question: Type.Literal('name') })
const Counted = Type.Object({ type: Type.Literal('counted'), people: Type.Integer() })
const News = Type.Union([
  Type.Object({ type: Type.Literal('came'), name: Name }),
  Type.Object({ type: Type.Literal('said'), name: Name, text: Text }),
  Type.Object({ type: Type.Literal('left'), name: Name })
])

declare module 'fastify-wss/pubsub' {
  interface Topics { [room: `room/${string}`]: Static<typeof News> }
}

export async function build (options: FastifyServerOptions = {}) {
  const app = Fastify(options).withTypeProvider<TypeBoxTypeProvider>()
  await app.register(websocket)
  await app.register(messages)
  await app.register(asyncapi, { info: { title: 'Rooms', version: '1.0.0' }, routePrefix: '/asyncapi' })
  await app.register(pubsub, { serialize: app.messages.serializer(News) }) // once for all who are in a room

  app.get('/room/:id', {
    websocket: true,
    schema: {
      params: Params,
      messages: { receive: FromClients, send: Type.Union([Ask, Counted]), reply: true }
    }
  }, async (socket, request) => {
    const room = `room/${request.params.id}` as const
    const inbox = socket.messages() // from here on somebody reads, which a reply needs too

    const answer = await socket.request({ type: 'ask', question: 'name' }, { timeout: 60_000 }).catch(() => null)
    if (answer?.type !== 'name') return socket.close(1008, 'No name')
    const { name } = answer

    await socket.subscribe(room)
    app.pubsub.publish(room, { type: 'came', name })
    for await (const message of inbox) {
      if (message.type === 'say') app.pubsub.publish(room, { type: 'said', name, text: message.text })
      if (message.type === 'count') socket.reply(message, { type: 'counted', people: app.pubsub.count(room) })
      if (message.type === 'leave') socket.close(1000, 'Bye')
    }
    app.pubsub.publish(room, { type: 'left', name })
  })

  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build({ logger: true })
  await app.listen({ port: 3000 })
}
