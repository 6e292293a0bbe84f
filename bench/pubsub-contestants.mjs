// Who sends to many. Each gives the sockets that it has, to wait for them, its port, and the function that sends the messages of
// one turn to all. Beside pub/sub and the loop over socket.send(), which is the control, there is the floor: a loop that writes
// the bytes of the turn, ready before, to each stream by one write. Nothing that stands on Node's streams costs less.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { deflateRawSync } from 'node:zlib'
import { Sender } from 'ws'

export const OPTIONS = { perMessageDeflate: { serverNoContextTakeover: true, threshold: 1024 } }
// Milliseconds until socket.io asks the clients whether they are there, as crossws does too: they do not answer.
const NEVER = 2 ** 31 - 1
export const START = { loop: startLoop, floor: startFloor, pubsub: startPubSub, idle: () => startFastify(true), 'socket.io': startSocketIo, crossws: startCrossws }
export const CONTESTANTS = ['loop', 'floor', 'pubsub', ...['socket.io', 'crossws'].filter(isInstalled)]

export function isInstalled (name) {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

async function startLoop () {
  const { sockets, port } = await startFastify(false)
  return { sockets, port, publish: each(message => { for (const socket of sockets) socket.send(message) }) }
}

async function startFloor ({ deflate }) {
  const { sockets, port } = await startFastify(false)
  let turn
  return {
    sockets,
    port,
    publish (messages) {
      turn ??= Buffer.concat(messages.flatMap(message => frameOf(Buffer.from(message), deflate)))
      for (const { _socket: stream } of sockets) stream.write(turn)
    }
  }
}

function frameOf (body, deflate) {
  const bytes = deflate ? deflateRawSync(body, { finishFlush: 2 }).subarray(0, -4) : body
  return Sender.frame(bytes, { fin: true, rsv1: deflate, opcode: 1 })
}

async function startPubSub () {
  const { app, sockets, port } = await startFastify(true, 'topic')
  return { sockets, port, publish: each(message => { app.pubsub.publish('topic', message) }) }
}

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
  return { app, sockets, port: app.server.address().port }
}

async function startSocketIo () {
  const { Server } = await import('socket.io')
  const httpServer = createServer()
  const sockets = new Set()
  const io = new Server(httpServer, { ...OPTIONS, pingInterval: NEVER })
  io.on('connection', socket => {
    socket.join('topic')
    sockets.add(socket.conn.transport.socket)
  })
  return { sockets, port: await listen(httpServer), publish: each(message => { io.to('topic').emit('message', message) }) }
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
  const adapter = createAdapter({ serverOptions: OPTIONS, idleTimeout: 0, hooks })
  const httpServer = createServer().on('upgrade', adapter.handleUpgrade)
  return { sockets, port: await listen(httpServer), publish: each(message => { adapter.publish('topic', message, { compress: true }) }) }
}

function each (publish) {
  return messages => { messages.forEach(message => { publish(message) }) }
}

async function listen (httpServer) {
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  return httpServer.address().port
}
