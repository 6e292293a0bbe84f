// The process that serves: one contestant, and what it has used so far. Nothing of the load is in here.

import { setImmediate, setTimeout } from 'node:timers/promises'
import { holdBallast } from './ballast.mjs'
import { answerCalls } from './calls.mjs'
import { contestants } from './contestants.mjs'

const [name, logs, ballast] = process.argv.slice(2)
holdBallast(Number(ballast))
const { httpServer, websocketServer, app } = await contestants[name].start({ logs: logs === 'logs' })

answerCalls({
  port: () => httpServer.address().port,
  cpu: cpuTime,
  memory: memoryInUse,
  drained: untilDrained,
  connections,
  ping,
  inject
})

/** Microseconds, of all threads: what the collector does in the background counts. */
function cpuTime () {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Bytes once the collector finds nothing more. */
async function memoryInUse () {
  let last = Infinity
  for (let i = 0; i < 10; i++) {
    globalThis.gc()
    await setImmediate()
    const { heapUsed } = process.memoryUsage()
    if (Math.abs(last - heapUsed) < 1024) break
    last = heapUsed
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed, external, rss }
}

async function untilDrained () {
  while (await connections() > 0) await setTimeout(10)
}

function connections () {
  return new Promise((resolve, reject) => {
    httpServer.getConnections((error, count) => { error ? reject(error) : resolve(count) })
  })
}

function ping () {
  for (const socket of websocketServer.clients) socket.ping()
}

/** Connects and leaves so many times, one after the other. */
async function inject (count) {
  for (let i = 0; i < count; i++) {
    const client = await app.injectWS('/')
    client.terminate()
  }
}
