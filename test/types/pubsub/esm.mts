// An ES module of a user: the default export, the named ones and the types of pub/sub.

import fastify from 'fastify'
import websocket from 'fastify-wss'
import plugin, { memory, pubsub, type PubSubOptions } from 'fastify-wss/pubsub'
import { redis } from 'fastify-wss/pubsub/redis'
import { conformance } from 'fastify-wss/pubsub/conformance'
import { expectType } from '../expect-type.js'

const app = fastify()
const options: PubSubOptions = { engine: memory() }
await app.register(websocket)
await app.register(plugin, options)
await app.register(pubsub, { engine: plugin.memory({ history: true }) })
await app.register(pubsub, { engine: redis({ client: { duplicate: () => {} } }) })
expectType<typeof pubsub>().from(plugin.default)
conformance({ create: () => memory() })

app.pubsub.publish('news', 'hello')
// @ts-expect-error: not what this topic has
app.pubsub.publish('news', 5)
// @ts-expect-error: no such option
await app.register(plugin, { motor: memory() })
