// What fastify-wss/pubsub has, and what it adds to the sockets of handlers where it is imported.

import { fastify } from 'fastify'
import type { FastifyRequest } from 'fastify'
import WS from 'ws'
import websocket, { type RouteSocket, type WebSocket } from 'fastify-wss'
import plugin, { memory, pubsub, type Counted, type Engine, type Gap, type PubSub, type PubSubOptions, type Received, type Subscribed } from 'fastify-wss/pubsub'
import { expectType } from '../expect-type'

declare module 'fastify-wss/pubsub' {
  interface Topics {
    [room: `room/${string}`]: { name: string, text: string }
    news: string
  }
}

const app = fastify()
app.register(websocket)
app.register(pubsub)
app.register(plugin, { engine: memory() })
app.register(pubsub, { engine: memory({ history: { maxLength: 50, maxAge: 60_000 } }) })
app.register(pubsub, {
  onSubscribe (socket, topic, request) {
    expectType<RouteSocket>().from(socket)
    expectType<FastifyRequest>().from(request)
    return topic.startsWith('room/')
  },
  onGap (topics, { reason, socket }) {
    expectType<string[] | true>().from(topics)
    expectType<Gap['reason']>().from(reason)
    socket?.send('refetch')
  },
  serialize: (message, { topic, id, binary }) => JSON.stringify({ message, topic, id, binary }),
  slowConsumer: { maxBufferedAmount: 1024 },
  compress: { threshold: 100 },
  maxPayload: 1024,
  timeout: 100,
  linger: 100
})
// @ts-expect-error: no such option
app.register(pubsub, { onsubscribe: () => true })
// @ts-expect-error: milliseconds
app.register(pubsub, { timeout: '5s' })
// @ts-expect-error: no engine
app.register(pubsub, { engine: 'redis' })

app.get<{ Params: { id: string } }>('/room/:id', { websocket: true }, async (socket, request) => {
  const topic = `room/${request.params.id}` as const
  expectType<Subscribed>().from(await socket.subscribe(topic))
  await socket.subscribe(topic, { after: '0' })
  expectType<string[]>().from(socket.topics)
  socket.on('message', data => app.pubsub.publish(topic, { name: 'Ada', text: String(data) }, { except: socket }))
  socket.unsubscribe(topic)
  const of: WebSocket = socket
  const ofWs: WS.WebSocket = socket
  of.close()
  ofWs.close()
  // @ts-expect-error: an id
  await socket.subscribe(topic, { after: 5 })
})

const hub: PubSub = app.pubsub
expectType<Promise<void>>().from(hub.publish('news', 'text'))
hub.publish('room/1', { name: 'Ada', text: 'hello' }, { binary: true, local: true })
hub.publish('anything', new Uint8Array(1))
// @ts-expect-error: not what this topic has
hub.publish('room/1', 'hello')
// @ts-expect-error: nor this one
hub.publish('news', 5)

const off = hub.on('room/1', (message, received) => {
  expectType<{ name: string, text: string }>().from(message)
  expectType<Received>().from(received)
})
expectType<() => void>().from(off)
hub.on('anything', async (text: string) => { text.trim() })
expectType<RouteSocket[]>().from(hub.sockets('a'))
expectType<number>().from(hub.count('a'))
expectType<Promise<Counted>>().from(hub.countAll('a', { timeout: 100 }))
expectType<Promise<Counted>>().from(hub.disconnect('a', 4000, 'over', { timeout: 100 }))
expectType<string>().from(hub.engine)
expectType<boolean>().from(hub.stats.isUp)

const engine: Engine = {
  name: 'mine',
  ordering: 'local',
  start ({ deliver, status, timeout }) {
    expectType<number>().from(timeout)
    deliver('topic', new Uint8Array(1))
    status({ state: 'up', gap: true })
  },
  async subscribe () {},
  async unsubscribe () {},
  async publish () { return undefined },
  async close () {}
}
const options: PubSubOptions = { engine }
app.register(pubsub, options)
