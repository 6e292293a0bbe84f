// Who is measured. Each is written as its users would write it, and does the same: '/' echoes what it is sent. The control
// is ws on a plain HTTP server; for an ordinary GET it is Fastify without a plugin.

import { createServer } from 'node:http'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { messageContestants } from './messages.mjs'

const host = '127.0.0.1'

/** Milliseconds between two pings of a connection. Shorter than anybody would set it: what counts is the cost of one. */
export const PING_INTERVAL = 2000

export const contestants = {
  ws: {
    title: 'bare ws',
    package: 'ws',
    async start () {
      const { httpServer, websocketServer } = await startWs()
      return { ...await listen(httpServer), websocketServer }
    }
  },

  fastify: {
    title: 'Fastify without a plugin',
    package: 'fastify',
    start: options => startFastify(undefined, options)
  },

  reference: {
    title: '@fastify/websocket',
    package: 'fastify-websocket-reference',
    start: options => startFastify('fastify-websocket-reference', options)
  },

  ours: {
    title: 'fastify-wss',
    package: 'fastify-wss',
    start: options => startFastify('fastify-wss', options)
  },

  // The same on TLS, by either version of HTTP. What they have in common is in both, the price of TLS among it.
  tls: {
    title: 'fastify-wss, HTTP/1.1',
    package: 'fastify-wss',
    over: 'tls',
    start: options => startFastify('fastify-wss', { ...options, https: readCertificate() })
  },

  http2: {
    title: 'fastify-wss, HTTP/2',
    package: 'fastify-wss',
    over: 'http2',
    start: options => startFastify('fastify-wss', { ...options, http2: true, https: readCertificate() })
  },

  wsLoop: {
    title: 'ws, the loop of its docs',
    package: 'ws',
    async start () {
      const { httpServer, websocketServer } = await startWs()
      websocketServer.on('connection', socket => {
        socket.isAlive = true
        socket.on('pong', heartbeat)
      })
      setInterval(() => {
        for (const socket of websocketServer.clients) {
          if (!socket.isAlive) socket.terminate()
          socket.isAlive = false
          socket.ping()
        }
      }, PING_INTERVAL)
      return listen(httpServer)

      function heartbeat () {
        this.isAlive = true
      }
    }
  },

  heartbeat: {
    title: 'fastify-wss, heartbeat',
    package: 'fastify-wss',
    start: options => startFastify('fastify-wss', options, { heartbeat: { interval: PING_INTERVAL, timeout: PING_INTERVAL } })
  },

  // A message through each option that has to do with messages; values that no message of the benchmark reaches.
  ...Object.fromEntries(Object.entries({
    heartbeat: true,
    idleTimeout: 60_000,
    maxLifetime: 3_600_000,
    slowConsumer: true,
    messageRate: { max: 1e9, timeWindow: 1000 },
    catchListenerErrors: true,
    logClose: true
  }).map(([option, value]) => [`with ${option}`, {
    title: option,
    package: 'fastify-wss',
    start: options => startFastify('fastify-wss', options, { [option]: value })
  }])),

  // What its being there costs a route that declares no messages.
  'with messages': {
    title: 'fastify-wss/messages',
    package: 'fastify-wss',
    start: options => startFastify('fastify-wss', options, undefined, 'fastify-wss/messages')
  },

  ...messageContestants,

  // Those from here on are measured where their packages are installed.
  crossws: {
    title: 'crossws',
    package: 'crossws',
    async start () {
      const { default: createAdapter } = await import('crossws/adapters/node')
      const { handleUpgrade } = createAdapter({
        hooks: { message (peer, message) { peer.send(message.uint8Array()) } }
      })
      const httpServer = createServer()
      httpServer.on('upgrade', handleUpgrade)
      return listen(httpServer)
    }
  },

  expressWs: {
    title: 'express-ws',
    package: 'express-ws',
    async start () {
      const { default: express } = await import('express')
      const { default: expressWs } = await import('express-ws')
      const { app } = expressWs(express())
      app.ws('/', socket => {
        socket.on('error', console.error)
        socket.on('message', message => { socket.send(message) })
      })
      const httpServer = app.listen(0, host)
      await once(httpServer, 'listening')
      return { httpServer }
    }
  },

  // Speaks a protocol of its own inside the frames: a client is connected once it has joined the namespace.
  socketIo: {
    title: 'socket.io',
    package: 'socket.io',
    path: '/socket.io/?EIO=4&transport=websocket',
    greeting: '40',
    async start () {
      const { Server } = await import('socket.io')
      const httpServer = createServer()
      new Server(httpServer).on('connection', socket => {
        socket.on('message', message => { socket.emit('message', message) })
      })
      return listen(httpServer)
    }
  }
}

/** One more, `compared`, for this process and those that it starts: our package as of another commit (compare.mjs). */
export function compareWith (revision) {
  const { title, main } = revision
  contestants.compared = { title, package: 'fastify-wss', start: options => startFastify(pathToFileURL(main), options) }
  process.env.BENCH_COMPARED = JSON.stringify(revision)
}

if (process.env.BENCH_COMPARED) compareWith(JSON.parse(process.env.BENCH_COMPARED))

async function startWs () {
  const { WebSocketServer } = await import('ws')
  const httpServer = createServer()
  const websocketServer = new WebSocketServer({ server: httpServer })
  websocketServer.on('connection', socket => {
    socket.on('error', console.error)
    socket.on('message', message => { socket.send(message) })
  })
  return { httpServer, websocketServer }
}

async function startFastify (plugin, { logs, ...options }, pluginOptions, other) {
  const { default: fastify } = await import('fastify')
  const app = fastify({ ...options, logger: logs && { level: 'info', stream: nowhere } })
  if (plugin) {
    const { default: fastifyWebsocket } = await import(plugin)
    await app.register(fastifyWebsocket, pluginOptions)
    if (other) await app.register(await import(other))
    app.get('/', { websocket: true }, socket => {
      socket.on('message', message => { socket.send(message) })
    })
  }
  app.get('/hello', async () => ({ hello: 'world' }))
  await app.listen({ port: 0, host })
  return { httpServer: app.server, app }
}

function readCertificate () {
  const [key, cert] = ['key', 'cert'].map(name => readFileSync(new URL(`../test/helpers/tls/${name}.pem`, import.meta.url)))
  return { key, cert }
}

// What is measured is making the log lines, and not where they go.
const nowhere = { write () {} }

async function listen (httpServer) {
  httpServer.listen(0, host)
  await once(httpServer, 'listening')
  return { httpServer }
}
