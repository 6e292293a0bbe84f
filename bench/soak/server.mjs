// The server of the soak: a process of its own, so that its heap is measured alone. It does what its parent says, one
// command at a time, and answers each: measure, inject, restart, close.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import fastify from 'fastify'

const [plugin] = process.argv.slice(2)
const { default: websocket } = await import(plugin)

// More than a socket's buffers hold, so that a client who does not read is felt.
const LARGE = Buffer.alloc(4 * 1024 * 1024, 'large ')
const SLOW = 20

const crashes = []
process.on('uncaughtException', onCrash)
process.on('unhandledRejection', onCrash)

const maxPayload = 256 * 1024
const main = await start({ options: { maxPayload, verifyClient } })
const failing = await start({ errorHandler: failTwice, options: { maxPayload, clientTracking: false } })
// @fastify/websocket has no such way in.
const overHttp2 = plugin === 'fastify-wss' ? await start({ options: { maxPayload, verifyClient } }, { http2: true }) : undefined
let brief = await start({})

const commands = { measure, inject, restart, close }
process.on('message', async ({ id, command }) => {
  const answer = await commands[command]().catch(error => ({ error: String(error) }))
  process.send?.({ id, ...answer })
})
process.on('disconnect', onOrphaned)
process.send?.({ id: 0, ports: ports() })

async function start (options, serverOptions) {
  const app = fastify(serverOptions)
  await app.register(websocket, { handshakeTimeout: 1500, shutdown: { timeout: 500 }, ...options })
  declareHandlers(app)
  declarePlain(app)
  await app.register(declareHooked, { prefix: '/hook' })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app
}

function declareHandlers (app) {
  app.get('/echo', { websocket: true }, echo)
  app.get('/params/:id', { websocket: true }, echo)
  app.get('/verify/:how', { websocket: true }, echo)
  app.get('/async', { websocket: true }, async socket => {
    await sleep(SLOW)
    echo(socket)
  })
  app.get('/once', { websocket: true }, async socket => {
    await sleep(SLOW)
    const [data] = await once(socket, 'message')
    socket.send(data)
    echo(socket)
  })
  app.get('/never', { websocket: true }, () => new Promise(() => {}))
  app.get('/deaf', { websocket: true }, async () => { await sleep(SLOW) })
  app.get('/throws', { websocket: true }, () => { throw new Error('thrown by the handler') })
  app.get('/rejects', { websocket: true }, async () => {
    await sleep(SLOW)
    throw new Error('rejected by the handler')
  })
  app.get('/closes', { websocket: true }, socket => { socket.close(4000, 'enough') })
  app.get('/terminates', { websocket: true }, socket => { socket.on('message', () => { socket.terminate() }) })
  app.get('/floods', { websocket: true }, socket => { socket.send(LARGE) })
}

function declarePlain (app) {
  app.addContentTypeParser('*', async (_request, payload) => {
    let length = 0
    for await (const chunk of payload) length += chunk.length
    return length
  })
  app.get('/plain', async () => 'plain')
  app.post('/upload', async ({ body }) => String(body))
  app.get('/slow', async () => {
    await sleep(SLOW)
    return 'slow'
  })
}

async function declareHooked (scope) {
  scope.get('/delays', { websocket: true, preValidation: async () => { await sleep(SLOW) } }, echo)
  scope.get('/replies', { websocket: true, onRequest: async (_request, reply) => { await reply.code(401).send('no') } }, echo)
  scope.get('/throws', { websocket: true, preHandler: async () => { throw new Error('thrown by a hook') } }, echo)
  scope.get('/large', { websocket: true, onRequest: async (_request, reply) => { await reply.code(403).send(LARGE) } }, echo)
  scope.get('/waits', {
    websocket: true,
    onRequest: async ({ signal }) => { if (!signal.aborted) await once(signal, 'abort') }
  }, echo)
}

function echo (socket) {
  socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
}

function verifyClient ({ req }) {
  const verdicts = {
    '/verify/no': async () => await sleep(SLOW, false),
    '/verify/late': async () => await sleep(SLOW, true),
    '/verify/rejects': async () => { throw new Error('rejected by verifyClient') },
    '/verify/throws': () => { throw new Error('thrown by verifyClient') },
    '/verify/silent': () => new Promise(() => {})
  }
  return verdicts[req.url]?.() ?? true
}

let failures = 0

function failTwice () {
  failures++
  if (failures % 2 === 0) throw new Error('thrown by the errorHandler')
  return Promise.reject(new Error('rejected by the errorHandler'))
}

function onCrash (error) {
  crashes.push(String(error?.stack ?? error).split('\n').slice(0, 3).join(' '))
}

// Whoever started this process is gone.
function onOrphaned () {
  process.exit(1)
}

function ports () {
  return { main: portOf(main), failing: portOf(failing), brief: portOf(brief), http2: overHttp2 && portOf(overHttp2) }
}

function portOf (app) {
  return app.server.address().port
}

/** A client in memory comes and goes. */
async function inject () {
  const socket = await main.injectWS('/echo')
  const echoed = once(socket, 'message')
  socket.send('hello')
  const [data] = await echoed
  socket.close()
  await once(socket, 'close')
  return { echoed: String(data) }
}

/** An application closes in the middle of its work, and another takes its place. */
async function restart () {
  const since = Date.now()
  await brief.close()
  const took = Date.now() - since
  brief = await start({})
  return { took, ports: ports() }
}

async function measure () {
  // Twice, with a turn in between: what a finalizer or a weak reference lets go is only free the second time.
  global.gc()
  await sleep(50)
  global.gc()
  return {
    sockets: await count(main) + await count(failing) + await count(brief) + (overHttp2 ? await count(overHttp2) : 0),
    clients: main.websocketServer.clients.size + brief.websocketServer.clients.size + (overHttp2?.websocketServer.clients.size ?? 0),
    listeners: [main, failing, overHttp2 ?? []].flat().flatMap(app => [app.server, app.websocketServer]).concat(process).reduce((sum, emitter) => sum + listenersOf(emitter), 0),
    resources: process.getActiveResourcesInfo().length,
    heap: process.memoryUsage().heapUsed + process.memoryUsage().external,
    crashes
  }
}

async function count ({ server }) {
  return await promisify(server.getConnections.bind(server))()
}

function listenersOf (emitter) {
  return emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0)
}

async function close () {
  await Promise.all([main.close(), failing.close(), brief.close(), overHttp2?.close()])
  process.off('disconnect', onOrphaned)
  setImmediate(() => { process.disconnect() })
  return {}
}
