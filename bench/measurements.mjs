// What is measured. Each contestant has a process of its own that serves and another that loads, new in every round. Its
// work is cut into turns (an async generator: a yield ends a turn), so that all contestants can go on side by side and
// whatever else the machine does falls on all of them. A turn of warm-up comes first, then what counts; the numbers are
// what the generator returns. Times are CPU time of the serving process, all threads, the collector of garbage included.

import { setTimeout } from 'node:timers/promises'
import { startProcess } from './calls.mjs'
import { contestants, PING_INTERVAL } from './contestants.mjs'
import { messageContestants, SAY } from './messages.mjs'

const SIZES = { '32 B': 32, '1 KB': 1024, '64 KB': 65536 }

const withWebsocket = ['ws', 'reference', 'ours', 'compared', 'crossws', 'expressWs', 'socketIo']
const policies = Object.keys(contestants).filter(name => name.startsWith('with '))
const echoing = withWebsocket.filter(name => name !== 'socketIo')

/** run: (name, size) => numbers by the keys of `rows`, in turns. size says how much of everything. */
export const measurements = [
  { title: 'idle connections', names: withWebsocket, run: holdConnections },
  { title: 'upgrades', names: withWebsocket, run: (name, size) => acceptUpgrades(name, size, false) },
  { title: 'upgrades with pino', names: ['ws', 'reference', 'ours', 'compared'], run: (name, size) => acceptUpgrades(name, size, true) },
  { title: 'GET', names: ['fastify', 'reference', 'ours', 'compared'], run: answerGets },
  ...Object.keys(SIZES).map(label => ({ title: `echo ${label}`, names: echoing, run: (name, size) => echoMessages(name, size, label) })),
  { title: 'TLS', names: ['tls', 'http2'], run: compareOnTls },
  { title: 'heartbeat', names: ['ws', 'wsLoop', 'heartbeat'], run: keepAlive },
  { title: 'policies', names: ['ours', ...policies], run: async function * (name, size) { return { policy: (yield * echoMessages(name, size, '32 B'))['echo 32 B'] } } },
  { title: 'messages', names: Object.keys(messageContestants), run: validateMessages },
  { title: 'injectWS', names: ['reference', 'ours', 'compared'], run: injectConnections }
]

/**
 * How a number is called, and what it is. control: whose number is 1. bar: what the ratio of the subject, which is ours
 * unless named, should keep to.
 */
export const rows = {
  heap: { title: 'heap per idle connection', unit: 'B', control: 'ws', bar: 1.05 },
  rss: { title: 'RSS per idle connection', unit: 'B', control: 'ws' },
  upgrade: { title: 'CPU per upgrade', unit: 'µs', control: 'ws', bar: 1.10 },
  upgradeLogged: { title: 'CPU per upgrade, pino at info (bare ws logs nothing)', unit: 'µs', control: 'ws', bar: 1.25 },
  get: { title: 'CPU per ordinary GET', unit: 'µs', control: 'fastify', bar: 1.02 },
  ...Object.fromEntries(Object.keys(SIZES).map(label => [`echo ${label}`, { title: `CPU per echo, ${label}`, unit: 'µs', control: 'ws', bar: 1.02 }])),
  'TLS heap': { title: 'TLS, 100 websockets a session: heap per idle connection', unit: 'B', control: 'tls' },
  'TLS rss': { title: 'TLS: RSS per idle connection', unit: 'B', control: 'tls', bar: 0.4, subject: 'http2' },
  'TLS upgrade': { title: 'TLS: CPU per connect', unit: 'µs', control: 'tls', bar: 0.5, subject: 'http2' },
  ...Object.fromEntries(Object.keys(SIZES).map(label => [`TLS echo ${label}`, { title: `TLS: CPU per echo, ${label}`, unit: 'µs', control: 'tls', ...label === '32 B' && { bar: 1.1, subject: 'http2' } }])),
  heapWithHeartbeat: { title: 'heap per idle connection with a heartbeat (bare ws: pinged once)', unit: 'B', control: 'ws', subject: 'heartbeat', bar: 1.10 },
  heartbeat: { title: 'CPU per idle connection and ping', unit: 'µs', control: 'wsLoop', subject: 'heartbeat', bar: 1 },
  policy: { title: 'CPU per echo, 32 B, through an option', unit: 'µs', control: 'ours' },
  message: { title: 'CPU per message of 200 B, received, validated and answered', unit: 'µs', control: 'byHand', subject: 'messages', bar: 1.15 },
  messageInLoop: { title: 'the same, beside a loop by hand', unit: 'µs', control: 'byHandLoop', subject: 'messages', bar: 1.15 },
  inject: { title: 'injectWS connects per CPU second', unit: '/s', control: 'reference', bar: 0.5, isMoreBetter: true }
}

async function * holdConnections (name, { steps, batch, upgradeWarmUp, ballast }) {
  const { server, stop, open, warmUp } = await serveUpgrades(name, ballast)
  try {
    yield * warmUp(upgradeWarmUp, batch)
    const empty = await server.call('memory')
    const numbers = {}
    let opened = 0
    for (const step of steps) {
      while (opened < step) {
        await open(batch)
        opened += batch
        yield
      }
      const { heap, external, rss } = await server.call('memory')
      numbers[`heap at ${step}`] = (heap + external - empty.heap - empty.external) / step
      numbers[`rss at ${step}`] = (rss - empty.rss) / step
    }
    return { heap: numbers[`heap at ${opened}`], rss: numbers[`rss at ${opened}`], ...numbers }
  } finally {
    await stop()
  }
}

// Not together with the memory: V8 forgets optimized code when a collection of garbage that is forced on an idle server
// finds no connection left, and what would be measured is how it warms up again.
async function * acceptUpgrades (name, { steps, batch, upgradeWarmUp, ballast }, logs) {
  const { server, stop, open, warmUp } = await serveUpgrades(name, ballast, { logs })
  try {
    yield * warmUp(upgradeWarmUp, batch)
    const numbers = {}
    let opened = 0
    let used = 0
    for (const step of steps) {
      const before = { opened, used }
      while (opened < step) {
        used += await cpuOf(server, () => open(batch))
        opened += batch
        yield
      }
      numbers[`upgrade at ${step}`] = (used - before.used) / (step - before.opened)
    }
    return logs ? { upgradeLogged: used / opened } : { upgrade: used / opened, ...numbers }
  } finally {
    await stop()
  }
}

async function * answerGets (name, { gets, turns, ballast }) {
  const { server, load, stop } = await serve(name, ballast)
  try {
    const port = await server.call('port')
    const get = count => load.call('get', { port, path: '/hello', connections: 32, count })
    return { get: yield * inTurns(server, get, gets, turns) }
  } finally {
    await stop()
  }
}

async function * echoMessages (name, { messages, turns, ballast }, label) {
  const { server, load, stop } = await serve(name, ballast)
  try {
    const { path, greeting, over } = contestants[name]
    const port = await server.call('port')
    await load.call('open', { port, path, greeting, over, count: 32 })
    const echo = count => load.call('echo', { size: SIZES[label], count })
    return { [`echo ${label}`]: yield * inTurns(server, echo, messages[label], turns) }
  } finally {
    await stop()
  }
}

async function * validateMessages (name, { messages, turns, ballast }) {
  const { server, load, stop } = await serve(name, ballast)
  try {
    const { text = SAY, isLoop } = contestants[name]
    const port = await server.call('port')
    await load.call('open', { port, count: 32 })
    const converse = count => load.call('converse', { text, count })
    const message = yield * inTurns(server, converse, messages['32 B'], turns)
    return { message, ...isLoop && { messageInLoop: message } }
  } finally {
    await stop()
  }
}

// All in one, and fewer of everything: handshakes take long, and what is measured differs by half.
async function * compareOnTls (name, { steps: [count], batch, messages, turns, ballast }) {
  const { server, load, stop, open, warmUp } = await serveUpgrades(name, ballast)
  try {
    yield * warmUp(batch, batch)
    const empty = await server.call('memory')
    const used = await cpuOf(server, () => open(count))
    yield
    const { heap, external, rss } = await server.call('memory')
    const numbers = { 'TLS heap': (heap + external - empty.heap - empty.external) / count, 'TLS rss': (rss - empty.rss) / count, 'TLS upgrade': used / count }
    await load.call('close')
    await server.call('drained')
    await open(32)
    for (const [label, size] of Object.entries(SIZES)) {
      numbers[`TLS echo ${label}`] = yield * inTurns(server, count => load.call('echo', { size, count }), messages[label] / 4, turns)
    }
    return numbers
  } finally {
    await stop()
  }
}

async function * keepAlive (name, { steps, batch, upgradeWarmUp, beats, ballast }) {
  const connections = steps.at(-1)
  const { server, stop, open, warmUp } = await serveUpgrades(name, ballast, { isPinged: true })
  try {
    yield * warmUp(upgradeWarmUp, batch)
    const empty = await server.call('memory')
    for (let opened = 0; opened < connections; opened += batch) {
      await open(batch)
      yield
    }
    const numbers = {}
    // The control is pinged too: what a first frame each way leaves in memory is not the heartbeat's.
    if (name === 'ws') await server.call('ping')
    const used = yield * beat(server, beats)
    if (name !== 'ws') numbers.heartbeat = used / connections
    const alive = await server.call('connections')
    if (alive !== connections) throw new Error(`${name}: ${connections - alive} of ${connections} connections are gone`)
    // Last: while a collection of garbage is forced, no pong is read.
    const { heap, external } = await server.call('memory')
    numbers.heapWithHeartbeat = (heap + external - empty.heap - empty.external) / connections
    return numbers
  } finally {
    await stop()
  }
}

/** CPU time for each of so many intervals of pings; one comes before, as warm-up. */
async function * beat (server, beats) {
  await setTimeout(PING_INTERVAL)
  yield
  let used = 0
  for (let i = 0; i < beats; i++) {
    used += await cpuOf(server, () => setTimeout(PING_INTERVAL))
    yield
  }
  return used / beats
}

async function * injectConnections (name, { injects, turns, ballast }) {
  const { server, stop } = await serve(name, ballast)
  try {
    const inject = count => server.call('inject', count)
    return { inject: 1e6 / (yield * inTurns(server, inject, injects, turns)) }
  } finally {
    await stop()
  }
}

/** CPU time for one of `count` pieces of work; half as many come before, as warm-up. */
async function * inTurns (server, work, count, turns) {
  await work(count / 2)
  yield
  let used = 0
  for (let turn = 0; turn < turns; turn++) {
    used += await cpuOf(server, () => work(count / turns))
    yield
  }
  return used / count
}

async function cpuOf (server, work) {
  const begin = await server.call('cpu')
  await work()
  return await server.call('cpu') - begin
}

async function serveUpgrades (name, ballast, { logs = false, isPinged = false } = {}) {
  const { server, load, stop } = await serve(name, ballast, logs)
  const { path, greeting, over } = contestants[name]
  const port = await server.call('port')
  return { server, load, stop, open, warmUp }

  function open (count) {
    return load.call('open', { port, path, greeting, over, count, isPinged })
  }

  async function * warmUp (count, batch) {
    for (let warm = 0; warm < count; warm += batch) {
      await open(batch)
      await load.call('close')
      await server.call('drained')
      yield
    }
  }
}

async function serve (name, ballast, logs = false) {
  const server = startProcess('server.mjs', [name, logs ? 'logs' : 'silent', ballast])
  const load = startProcess('load.mjs', [name]) // an error of it says whose it is
  return { server, load, stop }

  // The load first: it would take the end of a server for an error.
  async function stop () {
    await load.stop()
    await server.stop()
  }
}
