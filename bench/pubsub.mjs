// npm run bench:pubsub [-- --quick] [--out FILE]
// What it costs to send a message to many: CPU time of the serving process for each message that is delivered, and write calls
// for each, of app.pubsub.publish() beside a loop over socket.send(), which is the control. Both in one run, in turns, each in a
// process of its own; the clients are another process, which does no more than count what arrives.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.mjs'

const CONTESTANTS = ['loop', 'pubsub']
const SIZES = { '32 B': 32, '1 KB': 1024, '16 KB': 16_384 }
const FULL = { rounds: 5, subscribers: [100, 1000, 5000], deliveries: { '32 B': 100_000, '1 KB': 60_000, '16 KB': 15_000 } }
const QUICK = { rounds: 1, subscribers: [20], deliveries: { '1 KB': 400 } }

const role = process.argv[2]
if (role === 'serve') await serve(process.argv[3])
else if (role === 'load') load()
else await lead()

async function lead () {
  const { values: { quick, out } } = parseArgs({ options: { quick: { type: 'boolean', default: false }, out: { type: 'string' } } })
  const { rounds, subscribers, deliveries } = quick ? QUICK : FULL
  const machine = describeMachine()
  const rows = []
  for (const count of subscribers) {
    for (const [title, size] of Object.entries(SIZES).filter(([title]) => title in deliveries)) {
      for (const deflate of [false, true]) {
        for (const perTick of [1, 8]) {
          const ratios = []
          const costs = { loop: [], pubsub: [] }
          const writes = {}
          for (let round = 0; round < rounds; round++) {
            const measured = {}
            for (const name of round % 2 ? CONTESTANTS : [...CONTESTANTS].reverse()) measured[name] = await measure(name, { count, size, deflate, perTick, total: deflate ? deliveries[title] / 4 : deliveries[title] })
            for (const name of CONTESTANTS) {
              costs[name].push(measured[name].cpu)
              writes[name] = measured[name].writes
            }
            ratios.push(measured.loop.cpu / measured.pubsub.cpu)
          }
          const row = { subscribers: count, size: title, deflate, perTick, loop: median(costs.loop), pubsub: median(costs.pubsub), gain: median(ratios), range: [Math.min(...ratios), Math.max(...ratios)], writes }
          rows.push(row)
          console.log(`${String(count).padStart(5)} subscribers, ${title.padStart(5)}, ${deflate ? 'deflate' : 'plain  '}, ${perTick} per tick: ${row.loop.toFixed(2).padStart(8)} us, ${row.pubsub.toFixed(2).padStart(8)} us, gain ${row.gain.toFixed(2)} (${row.range.map(n => n.toFixed(2)).join(' to ')}), writes ${writes.loop.toFixed(2)} and ${writes.pubsub.toFixed(2)}`)
        }
      }
    }
  }
  if (out) writeFileSync(out, JSON.stringify({ machine, rows }, null, 2) + '\n')
}

async function measure (name, task) {
  const server = fork(fileURLToPath(import.meta.url), ['serve', name])
  const [{ port }] = await once(server, 'message')
  const clients = fork(fileURLToPath(import.meta.url), ['load'])
  clients.send({ port, ...task })
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
  const { default: Fastify } = await import('fastify')
  const { default: websocket } = await import('fastify-wss')
  const { default: pubsub } = await import('fastify-wss/pubsub')
  const app = Fastify()
  await app.register(websocket, { options: { perMessageDeflate: { serverNoContextTakeover: true, threshold: 1024 } } })
  if (name === 'pubsub') await app.register(pubsub)
  const sockets = new Set()
  app.get('/', { websocket: true }, async socket => {
    sockets.add(socket)
    if (name === 'pubsub') await socket.subscribe('topic')
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  let writes = 0
  for (const method of ['_write', '_writev']) {
    const original = Socket.prototype[method]
    if (original) Socket.prototype[method] = function (...args) { writes++; return Reflect.apply(original, this, args) }
  }
  process.on('message', async ({ count, size, perTick, total }) => {
    const message = JSON.stringify({ text: 'some words that come again, as words do. '.repeat(500).slice(0, size - 11) })
    const send = name === 'pubsub' ? () => { app.pubsub.publish('topic', message) } : () => { for (const socket of sockets) socket.send(message) }
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
        for (let j = 0; j < perTick; j++) send()
        // Looking at all of them would cost more than what is measured.
        do await new Promise(resolve => { setImmediate(resolve) })
        while (last.bufferedAmount > 0)
      }
    }
  })
  process.send({ port: app.server.address().port })
}

function load () {
  process.on('message', ({ port, count, deflate }) => {
    let open = 0
    for (let i = 0; i < count; i++) {
      const socket = connect(port, '127.0.0.1')
      socket.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${deflate ? 'Sec-WebSocket-Extensions: permessage-deflate\r\n' : ''}\r\n`)
      socket.once('data', () => { if (++open === count) process.send('open') })
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
