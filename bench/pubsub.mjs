// npm run bench:pubsub [-- --quick] [--rounds N] [--out FILE] [--chart FILE]
// What it costs to send a message to many: CPU time of the serving process for each message that is delivered, and write calls
// for each, of app.pubsub.publish() beside a loop over socket.send(), which is the control. Both in one run, in turns, each in a
// process of its own; the clients are another process, which does no more than take what arrives. socket.io and crossws take part
// where they are installed. And what a subscription costs an idle connection.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { connect, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.mjs'
import { drawPubSubChart } from './pubsub-chart.mjs'

const CONTESTANTS = ['loop', 'pubsub', ...['socket.io', 'crossws'].filter(isInstalled)]
const START = { loop: () => startFastify(false), pubsub: () => startFastify(true, 'topic'), idle: () => startFastify(true), 'socket.io': startSocketIo, crossws: startCrossws }
const OPTIONS = { perMessageDeflate: { serverNoContextTakeover: true, threshold: 1024 } }
// A client of socket.io joins the namespace by the text message 40.
const JOIN = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30])
const SIZES = { '32 B': 32, '1 KB': 1024, '16 KB': 16_384 }
const FULL = { rounds: 3, subscribers: [100, 1000, 5000], heap: 2000, deliveries: { '32 B': 100_000, '1 KB': 60_000, '16 KB': 15_000 } }
const QUICK = { rounds: 1, subscribers: [20], heap: 20, deliveries: { '1 KB': 400 } }

const role = process.argv[2]
if (role === 'serve') await serve(process.argv[3])
else if (role === 'load') load()
else await lead()

async function lead () {
  const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string' }, out: { type: 'string' }, chart: { type: 'string' } } })
  const { quick, out, chart } = values
  const { rounds, subscribers, deliveries, heap } = { ...(quick ? QUICK : FULL), ...(values.rounds && { rounds: Number(values.rounds) }) }
  const machine = describeMachine()
  const rows = []
  for (const count of subscribers) {
    for (const size of Object.keys(deliveries)) {
      // Below the threshold nothing is compressed.
      for (const deflate of SIZES[size] < OPTIONS.perMessageDeflate.threshold ? [false] : [false, true]) {
        for (const perTick of [1, 8]) {
          const row = await measureRow({ count, title: size, size: SIZES[size], deflate, perTick, total: deflate ? deliveries[size] / 4 : deliveries[size] }, rounds)
          rows.push(row)
          console.log(describe(row))
        }
      }
    }
  }
  const perSubscription = await measure('idle', { count: heap, isHeap: true })
  console.log(`a subscription to a topic of all: ${perSubscription.shared} B, to one of its own: ${perSubscription.own} B`)
  const results = { machine, rows, heap: perSubscription }
  if (out) writeFileSync(out, JSON.stringify(results, null, 2) + '\n')
  if (chart) writeFileSync(chart, drawPubSubChart(results))
}

// Who begins changes from round to round.
async function measureRow (task, rounds) {
  const all = Object.fromEntries(CONTESTANTS.map(name => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 ? CONTESTANTS : [...CONTESTANTS].reverse()) all[name].push(await measure(name, task))
  }
  const contestants = Object.fromEntries(CONTESTANTS.map(name => {
    const gains = all[name].map(({ cpu }, round) => all.loop[round].cpu / cpu)
    return [name, { cpu: median(all[name].map(({ cpu }) => cpu)), writes: all[name][0].writes, gain: median(gains), range: [Math.min(...gains), Math.max(...gains)] }]
  }))
  const { count, title, deflate, perTick } = task
  return { subscribers: count, size: title, deflate, perTick, contestants }
}

function describe ({ subscribers, size, deflate, perTick, contestants }) {
  const each = Object.entries(contestants).map(([name, { cpu, writes, gain }]) => `${name} ${cpu.toFixed(2)} us, ${writes.toFixed(2)} writes, ${gain.toFixed(2)}x`)
  return `${String(subscribers).padStart(5)} subscribers, ${size.padStart(5)}, ${deflate ? 'deflate' : 'plain  '}, ${perTick} per tick: ${each.join(' | ')}`
}

async function measure (name, task) {
  const server = fork(fileURLToPath(import.meta.url), ['serve', name], { execArgv: ['--expose-gc'] })
  const [{ port }] = await once(server, 'message')
  const clients = fork(fileURLToPath(import.meta.url), ['load'])
  clients.send({ port, ...task, isSocketIo: name === 'socket.io' })
  await once(clients, 'message')
  server.send(task)
  const [result] = await once(server, 'message')
  const exited = Promise.all([once(server, 'exit'), once(clients, 'exit')])
  clients.kill()
  server.kill()
  await exited
  return result
}

async function serve (name) {
  const { sockets, port, publish: publishTo, app } = await START[name]()
  let writes = 0
  for (const method of ['_write', '_writev']) {
    const original = Socket.prototype[method]
    if (original) Socket.prototype[method] = function (...args) { writes++; return Reflect.apply(original, this, args) }
  }
  process.on('message', async ({ count, size, perTick, total, isHeap }) => {
    while (sockets.size < count) await new Promise(resolve => { setImmediate(resolve) })
    if (isHeap) return process.send(await measureHeap(app, [...sockets]))
    const message = JSON.stringify({ text: 'some words that come again, as words do. '.repeat(500).slice(0, size - 11) })
    const last = [...sockets].at(-1)
    const publishes = Math.max(perTick * 2, Math.ceil(total / count / perTick) * perTick)
    await publish(publishes)
    writes = 0
    const before = process.cpuUsage()
    await publish(publishes)
    const { user, system } = process.cpuUsage(before)
    process.send({ cpu: (user + system) / (publishes * count), writes: writes / (publishes * count) })

    async function publish (times) {
      for (let i = 0; i < times; i += perTick) {
        for (let j = 0; j < perTick; j++) publishTo(message)
        // Looking at all of them would cost more than what is measured.
        do await new Promise(resolve => { setImmediate(resolve) })
        while (last.bufferedAmount > 0)
      }
    }
  })
  process.send({ port })
}

// Each gives the sockets that it has, to wait for them, and the function that sends to all.
async function startFastify (isPubSub, topic) {
  const { default: Fastify } = await import('fastify')
  const { default: websocket } = await import('fastify-wss')
  const { default: pubsub } = await import('fastify-wss/pubsub')
  const app = Fastify()
  await app.register(websocket, { options: OPTIONS })
  if (isPubSub) await app.register(pubsub)
  const sockets = new Set()
  app.get('/', { websocket: true }, async socket => {
    sockets.add(socket)
    if (topic) await socket.subscribe(topic)
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const publish = isPubSub ? message => { app.pubsub.publish('topic', message) } : message => { for (const socket of sockets) socket.send(message) }
  return { app, sockets, port: app.server.address().port, publish }
}

async function startSocketIo () {
  const { Server } = await import('socket.io')
  const httpServer = createServer()
  const sockets = new Set()
  const io = new Server(httpServer, OPTIONS)
  io.on('connection', socket => {
    socket.join('topic')
    sockets.add(socket.conn.transport.socket)
  })
  return { sockets, port: await listen(httpServer), publish (message) { io.to('topic').emit('message', message) } }
}

async function startCrossws () {
  const { default: createAdapter } = await import('crossws/adapters/node')
  const sockets = new Set()
  const hooks = {
    open (peer) {
      peer.subscribe('topic')
      sockets.add(peer.websocket)
    }
  }
  const adapter = createAdapter({ serverOptions: OPTIONS, hooks })
  const httpServer = createServer().on('upgrade', adapter.handleUpgrade)
  return { sockets, port: await listen(httpServer), publish (message) { adapter.publish('topic', message, { compress: true }) } }
}

async function listen (httpServer) {
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  return httpServer.address().port
}

async function measureHeap (app, sockets) {
  const { gc } = globalThis
  const none = await measureHeapOf(() => {})
  const shared = await measureHeapOf(socket => { socket.subscribe('topic') })
  await measureHeapOf(socket => { socket.unsubscribe('topic') })
  let user = 0
  const own = await measureHeapOf(socket => { socket.subscribe(`user/${user++}`) })
  return { shared: Math.round((shared - none) / sockets.length), own: Math.round((own - none) / sockets.length) }

  async function measureHeapOf (change) {
    sockets.forEach(change)
    for (let i = 0; i < 5; i++) {
      gc()
      await new Promise(resolve => { setTimeout(resolve, 20) })
    }
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
}

function isInstalled (name) {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

function load () {
  process.on('message', ({ port, count, deflate, isSocketIo }) => {
    const path = isSocketIo ? '/socket.io/?EIO=4&transport=websocket' : '/'
    let open = 0
    for (let i = 0; i < count; i++) {
      const socket = connect(port, '127.0.0.1')
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${deflate ? 'Sec-WebSocket-Extensions: permessage-deflate\r\n' : ''}\r\n`)
      socket.once('data', () => {
        if (isSocketIo) socket.write(JOIN)
        if (++open === count) process.send('open')
      })
      socket.on('error', () => {})
      socket.resume()
    }
  })
}

function median (numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
