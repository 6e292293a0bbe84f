// The soak: thousands of clients come and go, with every fault that clients and applications have, and at the end the
// server has to be back where it was: sockets, clients, listeners, what keeps it alive, and heap.
//
//   npm run soak -- --seconds 120 --clients 100 --plugin fastify-wss --seed 1
//
// It ends by itself: with code 1 and the numbers where something was left, hung, crashed or was not served.

import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ServerProcess } from './soak/process.mjs'
import { visits } from './soak/visits.mjs'

// The heap may grow by this factor after the warm-up: code goes on being compiled, and a short run sees some 8 % of it,
// two minutes 4 %. Some two hundred bytes that are kept for each connection make more than that in two minutes.
const HEAP_TOLERANCE = 1.15
// The part of the time that is warm-up.
const WARM_UP = 0.3
// Milliseconds that the server has to let go of everything once all clients have left.
const SETTLE = 10_000
const PROGRESS = 5_000
const RESTART = 2_000
const EXACT = ['sockets', 'clients', 'listeners', 'resources']

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    clients: { type: 'string', default: '100' },
    plugin: { type: 'string', default: 'fastify-wss' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) }
  }
})
const random = createRandom(Number(values.seed))
const pick = list => list[Math.floor(random() * list.length)]
const names = Object.keys(visits)
const failures = new Map()
const problems = []
const startedAt = Date.now()
let done = 0

console.log(`soak of ${values.plugin}: ${values.seconds} s, ${values.clients} clients at a time, seed ${values.seed}, Node ${process.version}`)
const server = await ServerProcess.start(values.plugin)
const progress = setInterval(report, PROGRESS)
await load(Number(values.seconds) * WARM_UP)
const before = await settle()
print('after the warm-up', before)
await load(Number(values.seconds) * (1 - WARM_UP))
const after = await settle(before)
print('at the end', after)
clearInterval(progress)
if (!await server.close()) problems.push('close() did not end, or something kept the process alive')
conclude()

async function load (duration) {
  const end = Date.now() + duration * 1000
  const workers = Promise.all(Array.from({ length: Number(values.clients) }, () => work(end)))
  await Promise.all([workers, restartApplications(workers)])
}

async function work (end) {
  while (Date.now() < end && !server.hasEnded) {
    const name = pick(names)
    await visits[name]({ ports: server.ports, pick, command: command => server.command(command) }).catch(error => { fail(name, error.message) })
    done++
  }
}

// Until the last client has left: some of them stay as long as the application.
async function restartApplications (workers) {
  const hasLeft = workers.then(() => true)
  do {
    const { ports, error } = await server.command('restart')
    if (error === undefined) server.ports = ports
    else fail('close() under load', error)
  } while (!await Promise.race([hasLeft, sleep(RESTART, server.hasEnded)]))
}

function fail (name, message) {
  const { count } = failures.get(name) ?? { count: 0 }
  failures.set(name, { count: count + 1, message })
}

/** The numbers once they are back where they were, or as they are after a time. */
async function settle (before) {
  const end = Date.now() + SETTLE
  while (true) {
    // Timers without a reference hold what they are for a while longer than the sockets.
    await sleep(1500)
    const numbers = await server.command('measure')
    const isBack = before === undefined ? numbers.sockets === 0 : differences(before, numbers).length === 0
    if (isBack || numbers.error !== undefined || Date.now() > end) return numbers
  }
}

function differences (before, after) {
  if (after.error !== undefined) return [after.error]
  const grown = EXACT.filter(name => after[name] > before[name]).map(name => `${name}: ${before[name]} before, ${after[name]} after`)
  if (after.sockets > 0) grown.push(`${after.sockets} sockets are left`)
  if (after.heap > before.heap * HEAP_TOLERANCE) grown.push(`heap: ${megabytes(before.heap)} before, ${megabytes(after.heap)} after`)
  return grown
}

function report () {
  const failed = [...failures.values()].reduce((sum, { count }) => sum + count, 0)
  console.log(`${Math.round((Date.now() - startedAt) / 1000)} s: ${done} clients, ${failed} not served as they should be`)
}

function print (when, { sockets, clients, listeners, resources, heap, error }) {
  console.log(`${when}: ${error ?? `${sockets} sockets, ${clients} clients, ${listeners} listeners, ${resources} resources, heap ${megabytes(heap)}`}`)
}

function conclude () {
  problems.push(...differences(before, after), ...new Set(after.crashes ?? []))
  for (const [name, { count, message }] of failures) problems.push(`${name}: failed ${count} times, with ${message}`)
  report()
  for (const problem of problems) console.log(`NOT OK ${problem}`)
  if (problems.length === 0) console.log('ok, everything is back where it was')
  process.exitCode = problems.length === 0 ? 0 : 1
}

function megabytes (bytes) {
  return `${(bytes / 1e6).toFixed(2)} MB`
}

// mulberry32: small, and the same on every machine.
function createRandom (seed) {
  let state = seed
  return function random () {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
