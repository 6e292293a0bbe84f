// Three nodes on a Redis: one publishes, one has a client, and one has nobody. How late a message is, how many there are in a
// second, and what CPU time each node needs for it; and what becomes of messages while Redis is killed and started again.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connectClient, judge } from './pubsub-client.mjs'
import { isInstalled } from './pubsub-contestants.mjs'
import { isThere, startRedis } from './pubsub-redis.mjs'

const CONTESTANTS = ['pubsub', 'history', ...isInstalled('@socket.io/redis-adapter') ? ['socket.io'] : [], ...isInstalled('crossws/sync') ? ['crossws'] : []]
const FULL = { warmUp: 10_000, late: 1000, many: 40_000, killed: 8000, before: 2000, away: 2000 }
const QUICK = { warmUp: 500, late: 20, many: 500, killed: 1000, before: 200, away: 200 }
// Messages a second, but where as many as possible are published.
const MODEST = 200
const STEADY = 1000
// Messages that are under way at once then.
const WINDOW = 1000
// A history that outlives a kill is on disk.
const ON_DISK = ['--appendonly', 'yes']

/** Undefined where there is no redis-server. */
export async function measureNodes (isQuick) {
  if (!isThere) return
  const settings = isQuick ? QUICK : FULL
  const rows = []
  for (const name of CONTESTANTS) {
    const row = { name, ...await withNodes(name, async nodes => await measureSpeed(nodes, settings)), kill: await withNodes(name, async nodes => await measureKill(nodes, settings)) }
    rows.push(row)
    console.log(describe(row))
  }
  return rows
}

async function withNodes (name, measure) {
  const redis = await startRedis(...name === 'history' ? ON_DISK : [])
  const nodes = []
  for (const role of ['publisher', 'subscriber', 'bystander']) nodes.push({ role, ...await startNode({ name, redisPort: redis.port }) })
  const client = await connectClient(name, nodes[1].port)
  try {
    return await measure({ name, redis, nodes, client })
  } finally {
    client.close()
    await Promise.all(nodes.map(({ stop }) => stop()))
    await redis.end()
  }
}

// The first messages warm up. What is late is measured last, of code that is compiled.
async function measureSpeed ({ nodes, client }, { warmUp, many, late }) {
  const [publisher] = nodes
  client.onNumber = number => { if (number % (WINDOW / 4) === 0) publisher.tell({ credit: WINDOW / 4 }) }
  publisher.tell({ credit: WINDOW })
  await publishMany(warmUp)
  const before = await cpuOf(nodes)
  const begin = performance.now()
  await publishMany(many)
  const seconds = (performance.now() - begin) / 1000
  const after = await cpuOf(nodes)
  const cpu = Object.fromEntries(nodes.map(({ role }, i) => [role, (after[i] - before[i]) / many]))
  client.delays.length = 0
  await publisher.ask({ publish: { total: late, rate: MODEST } })
  await arrival(client, warmUp + many + late)
  const delays = client.delays.splice(0).sort((a, b) => a - b)
  return { median: at(delays, 0.5), p99: at(delays, 0.99), rate: many / seconds, cpu }

  async function publishMany (total) {
    const { last } = await publisher.ask({ publish: { total } })
    await arrival(client, last)
  }
}

async function measureKill ({ name, redis, nodes: [publisher, subscriber], client }, { killed, before, away }) {
  const publishing = publisher.ask({ publish: { total: killed, rate: STEADY } })
  await new Promise(resolve => { setTimeout(resolve, before) })
  await redis.kill()
  await new Promise(resolve => { setTimeout(resolve, away) })
  await redis.start()
  await publishing
  const { last, rejected } = await untilThrough(publisher, client)
  const result = judge(client, last, rejected)
  if (name !== 'history') return result
  const again = await connectClient(name, subscriber.port, client.id)
  await arrival(again, last)
  again.close()
  return { ...result, replayed: again.numbers.length }
}

/** Publishes on, until a message comes through: from then on all that is missing is lost. */
async function untilThrough (publisher, client) {
  for (;;) {
    const answer = await publisher.ask({ publish: { total: 1, rate: STEADY } })
    const isThrough = await Promise.race([arrival(client, answer.last).then(() => true), new Promise(resolve => { setTimeout(resolve, 500) })])
    if (isThrough) return answer
  }
}

async function arrival (client, number) {
  while (client.numbers.at(-1) < number || client.numbers.length === 0) await new Promise(resolve => { setTimeout(resolve, 5) })
}

async function cpuOf (nodes) {
  return await Promise.all(nodes.map(async ({ ask }) => (await ask({})).cpu))
}

async function startNode (task) {
  const child = fork(fileURLToPath(new URL('pubsub-node.mjs', import.meta.url)), [JSON.stringify(task)])
  const [{ port }] = await once(child, 'message')
  return {
    port,
    tell (note) { child.send(note) },
    async ask (question) {
      child.send(question)
      const [answer] = await once(child, 'message')
      return answer
    },
    async stop () {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
  }
}

function at (sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

function describe ({ name, median, p99, rate, cpu, kill }) {
  const times = Object.entries(cpu).map(([role, time]) => `${role} ${time.toFixed(1)} us`)
  const fate = Object.entries(kill).map(([what, count]) => `${count} ${what}`)
  return `${name}: ${median.toFixed(0)} us late (p99 ${p99.toFixed(0)}), ${rate.toFixed(0)} a second, ${times.join(', ')}; where Redis is killed: ${fate.join(', ')}`
}
