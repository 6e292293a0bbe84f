// One of several nodes on a Redis, as one of the contestants. It publishes what it is told to, and says what became of it. The
// clients get `number time`, and `gap` where the node was told that something may be missing.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { Redis } from 'ioredis'

const START = { pubsub: () => startPubSub(false), history: () => startPubSub({ maxLength: 1_000_000 }), 'socket.io': startSocketIo, crossws: startCrossws }
// Of the longer pieces in which it publishes at a rate.
const PIECE = 10

const { name, redisPort } = JSON.parse(process.argv[2])
const client = silence(new Redis(redisPort, '127.0.0.1'))
const { port, publish } = await START[name]()
let next = 1
let credit = 0
const rejected = []
let wake = () => {}

process.on('message', async question => {
  if (question.credit) {
    credit += question.credit
    wake()
  } else if (question.publish) {
    await publishAll(question.publish)
    process.send({ last: next - 1, rejected })
  } else {
    const { user, system } = process.cpuUsage()
    process.send({ cpu: user + system })
  }
})
process.send({ port })

/** So many a second; or as many as are asked for by credit. */
async function publishAll ({ total, rate }) {
  const end = next + total
  while (next < end) {
    if (rate) {
      await new Promise(resolve => { setTimeout(resolve, PIECE) })
      for (let i = 0; i < rate * PIECE / 1000 && next < end; i++) publishNext()
    } else {
      if (credit === 0) await new Promise(resolve => { wake = resolve })
      for (; credit > 0 && next < end; credit--) publishNext()
    }
  }
}

function publishNext () {
  const number = next++
  publish(`${number} ${process.hrtime.bigint()}`)?.catch(() => { rejected.push(number) })
}

async function startPubSub (history) {
  const { default: Fastify } = await import('fastify')
  const { default: websocket } = await import('fastify-wss')
  const { default: pubsub } = await import('fastify-wss/pubsub')
  const { redis } = await import('fastify-wss/pubsub/redis')
  const app = Fastify()
  await app.register(websocket)
  await app.register(pubsub, {
    engine: redis({ client, history }),
    serialize: (message, { id }) => `${message} ${id}`,
    onGap () { for (const socket of app.pubsub.sockets('topic')) socket.send('gap') }
  })
  app.get('/', { websocket: true }, async (socket, request) => {
    await socket.subscribe('topic', { after: request.query.after })
    socket.send('ready')
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { port: app.server.address().port, publish: message => app.pubsub.publish('topic', message) }
}

async function startSocketIo () {
  const { Server } = await import('socket.io')
  const { createAdapter } = await import('@socket.io/redis-adapter')
  const listening = client.duplicate()
  const httpServer = createServer()
  const io = new Server(httpServer, { adapter: createAdapter(client, listening) })
  io.on('connection', socket => {
    socket.join('topic')
    socket.emit('message', 'ready')
  })
  return { port: await listen(httpServer), publish (message) { io.to('topic').emit('message', message) } }
}

async function startCrossws () {
  const { default: createAdapter } = await import('crossws/adapters/node')
  const { redis } = await import('crossws/sync')
  const hooks = {
    open (peer) {
      peer.subscribe('topic')
      peer.send('ready')
    }
  }
  const adapter = createAdapter({ hooks, sync: redis({ client, channel: 'crossws' }), onError () {} })
  const httpServer = createServer().on('upgrade', adapter.handleUpgrade)
  return { port: await listen(httpServer), publish (message) { adapter.publish('topic', message) } }
}

// Whatever is made after it too.
function silence (redis) {
  const duplicate = redis.duplicate.bind(redis)
  redis.duplicate = options => silence(duplicate(options))
  return redis.on('error', () => {})
}

async function listen (httpServer) {
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  return httpServer.address().port
}
