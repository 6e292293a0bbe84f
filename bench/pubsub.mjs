// npm run bench:pubsub [-- --quick] [--nodes] [--only TEXT] [--rounds N] [--out FILE] [--chart FILE]
// What it costs to send a message to many: CPU time of the serving process for each message that is delivered, and write calls
// for each, beside a loop over socket.send(). Each contestant is a process of its own, new in every round; they take turns of a
// fraction of a second. And what a subscription costs an idle connection; and several nodes on a Redis (--nodes: that alone).
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.mjs'
import { drawPubSubChart } from './pubsub-chart.mjs'
import { CONTESTANTS, OPTIONS } from './pubsub-contestants.mjs'
import { measureNodes } from './pubsub-nodes.mjs'

const SIZES = { '32 B': 32, '1 KB': 1024, '16 KB': 16_384 }
const FULL = { rounds: 3, warmUp: 2000, subscribers: [100, 1000, 5000], heap: 2000, deliveries: { '32 B': 100_000, '1 KB': 60_000, '16 KB': 15_000 } }
const QUICK = { rounds: 1, warmUp: 50, subscribers: [20], heap: 20, deliveries: { '1 KB': 400 } }
// Of each contestant in a round.
const SLICES = 5

const { values: { quick, nodes, only, rounds, out, chart } } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, nodes: { type: 'boolean', default: false }, only: { type: 'string', default: '' }, rounds: { type: 'string' }, out: { type: 'string' }, chart: { type: 'string' } }
})
const settings = { ...(quick ? QUICK : FULL), ...(rounds && { rounds: Number(rounds) }) }
const results = { machine: describeMachine(), rows: [] }

if (!nodes) await measureFanOut()
if (!only) results.nodes = await measureNodes(quick)
if (!only && results.nodes === undefined) console.log('several nodes: skipped, there is no redis-server')
if (out) writeFileSync(out, JSON.stringify(results, null, 2) + '\n')
if (chart && !nodes) writeFileSync(chart, drawPubSubChart(results))

async function measureFanOut () {
  for (const task of tasks()) {
    const row = await measureRow(task)
    results.rows.push(row)
    console.log(describe(row))
  }
  results.heap = await measureHeap()
  console.log(`a subscription to a topic of all: ${results.heap.shared} B, to one of its own: ${results.heap.own} B`)
}

function tasks () {
  const { subscribers, deliveries } = settings
  // Below the threshold nothing is compressed.
  const kinds = Object.keys(deliveries).flatMap(title => (SIZES[title] < OPTIONS.perMessageDeflate.threshold ? [false] : [false, true]).map(deflate => ({ title, deflate })))
  const all = subscribers.flatMap(count => kinds.flatMap(kind => [1, 8].map(perTick => ({ count, ...kind, perTick, size: SIZES[kind.title] }))))
  return all.filter(task => titleOf(task).includes(only))
}

function titleOf ({ count, title, deflate, perTick }) {
  return `${count} sockets, ${title}${deflate ? ' deflated' : ''}, ${perTick} a turn`
}

async function measureRow (task) {
  const all = []
  for (let round = 0; round < settings.rounds; round++) all.push(await measureRound(task))
  const contestants = Object.fromEntries(CONTESTANTS.map(name => {
    const gains = all.map(each => each.loop.cpu / each[name].cpu)
    return [name, { cpu: median(all.map(each => each[name].cpu)), writes: all[0][name].writes, gain: median(gains), range: [Math.min(...gains), Math.max(...gains)] }]
  }))
  const { count, title, deflate, perTick } = task
  return { subscribers: count, size: title, deflate, perTick, contestants }
}

async function measureRound (task) {
  const deliveries = settings.deliveries[task.title] / (task.deflate ? 2 : 1)
  const turns = Math.ceil(deliveries / task.count / task.perTick / SLICES)
  const open = []
  for (const name of CONTESTANTS) open.push({ name, cpu: 0, writes: 0, ...await start({ ...task, name }) })
  // As long for each: for a fast one so many turns as are measured are not enough to be compiled.
  for (const { ask } of open) await ask({ warmUp: settings.warmUp })
  // Who begins changes.
  for (let slice = 0; slice < SLICES; slice++) {
    for (const each of slice % 2 ? open : [...open].reverse()) {
      const { cpu, writes } = await each.ask({ turns })
      each.cpu += cpu
      each.writes += writes
    }
  }
  await Promise.all(open.map(({ stop }) => stop()))
  const messages = turns * SLICES * task.perTick * task.count
  return Object.fromEntries(open.map(({ name, cpu, writes }) => [name, { cpu: cpu / messages, writes: writes / messages }]))
}

async function measureHeap () {
  const { ask, stop } = await start({ name: 'idle', count: settings.heap, perTick: 1, size: 32 })
  const heap = await ask({ isHeap: true })
  await stop()
  return heap
}

/** A server with its clients. */
async function start (task) {
  const server = forkFile('pubsub-server.mjs', [JSON.stringify(task)], { execArgv: ['--expose-gc'] })
  server.once('exit', code => { if (code) throw new Error(`${task.name} has ended with ${code}`) })
  const [{ port }] = await once(server, 'message')
  const clients = forkFile('pubsub-clients.mjs')
  clients.send({ port, ...task })
  await once(clients, 'message')

  return {
    async ask (question) {
      server.send(question)
      const [answer] = await once(server, 'message')
      return answer
    },
    async stop () {
      const exited = Promise.all([once(server, 'exit'), once(clients, 'exit')])
      clients.kill()
      server.kill()
      await exited
    }
  }
}

function forkFile (file, args, options) {
  return fork(fileURLToPath(new URL(file, import.meta.url)), args, options)
}

function describe (row) {
  const each = Object.entries(row.contestants).map(([name, { cpu, writes, gain, range }]) => `${name} ${cpu.toFixed(2)} us, ${writes.toFixed(2)} writes, ${gain.toFixed(2)}x (${range.map(bound => bound.toFixed(2)).join(' to ')})`)
  return `${titleOf({ ...row, count: row.subscribers, title: row.size })}: ${each.join(' | ')}`
}

function median (numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
