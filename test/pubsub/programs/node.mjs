// One of several nodes: publishes what its clients tell it to, and tells them what became of it.
import Fastify from 'fastify'
import fastifyRedis from '@fastify/redis'
import websocket from 'fastify-wss'
import pubsub from 'fastify-wss/pubsub'
import { redis } from 'fastify-wss/pubsub/redis'

const { REDIS_PORT, HISTORY } = process.env
const app = Fastify()
await app.register(websocket)
await app.register(fastifyRedis, { host: '127.0.0.1', port: REDIS_PORT })
app.redis.on('error', () => {})
await app.register(pubsub, {
  engine: redis({ client: app.redis, history: HISTORY === 'yes' && { maxLength: 100_000 } }),
  serialize: (message, { id }) => `${message} ${id}`,
  onGap (topics, { reason }) {
    for (const socket of app.websocketServer.clients) socket.send(`gap ${topics} ${reason}`)
  }
})

app.get('/', { websocket: true }, async (socket, request) => {
  await socket.subscribe('a', { after: request.query.after })
  socket.send('subscribed')
})

// Publishes the numbers from one to another, a few each millisecond.
app.get('/publish', { websocket: true }, (socket, request) => {
  const { from, to } = request.query
  let next = Number(from)
  const timer = setInterval(() => {
    for (let i = 0; i < 5 && next <= Number(to); i++) publish(next++)
    if (next > Number(to)) clearInterval(timer)
  }, 1)

  async function publish (n) {
    await app.pubsub.publish('a', `${n}`).then(() => socket.send(`sent ${n}`), () => socket.send(`failed ${n}`))
  }
})

app.get('/count', async () => await app.pubsub.countAll('a', { timeout: 300 }))

console.log(await app.listen({ port: 0, host: '127.0.0.1' }))
