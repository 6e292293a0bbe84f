// Starts the chat: npm start, or PORT=8080 npm start. Ctrl-C ends it.
// On several nodes that share one Redis: REDIS_URL=redis://localhost PORT=3000 npm start, and the same with PORT=3001.
import { Redis } from 'ioredis'
import { redis } from 'fastify-wss/pubsub/redis'
import { build, HISTORY } from './app.mjs'

const host = 'localhost'
const port = readPort(process.env.PORT || '3000')
const app = await build({
  createEngine: process.env.REDIS_URL ? createRedis : undefined,
  logger: { level: 'error' },
  forceCloseConnections: true // a browser opens spare connections; they must not hold up the end
})

try {
  await app.listen({ host, port })
} catch (error) {
  fail(error.code === 'EADDRINUSE'
    ? `Port ${port} is taken. PORT=0 npm start picks a free one.`
    : `Cannot listen on ${host}:${port}: ${error.message}`)
}

// Not once: npm passes Ctrl-C on to a process that has had it from the terminal already.
process.on('SIGINT', stop)
process.on('SIGTERM', stop)

console.log(`The chat is on http://${host}:${app.server.address().port}`)

function createRedis () {
  return redis({ client: new Redis(process.env.REDIS_URL, { lazyConnect: true }), history: HISTORY })
}

function stop () {
  app.close()
}

function readPort (text) {
  const number = Number(text)
  const valid = /^\d+$/.test(text) && number <= 65535
  return valid ? number : fail(`PORT is a number from 0 to 65535, not "${text}".`)
}

function fail (reason) {
  console.error(reason)
  process.exit(1)
}
