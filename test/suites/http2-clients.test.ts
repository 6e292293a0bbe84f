// Websocket clients that speak HTTP/2 by themselves, on one session with their requests.
import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { Http2ServerRequest } from 'node:http2'
import type { FastifyInstance } from 'fastify'
import { start } from '../helpers/app'
import { certificate } from '../helpers/certificate'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'

checkLeaksAtEnd(t)

type Undici = typeof import('undici')

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const runsUndici = major > 22 || (major === 22 && minor >= 19)
const SOCKETS = 16
const seen = new WeakMap<FastifyInstance, { sessions: Set<unknown>, versions: Set<string> }>()

t.test("ws's WebSocket, which speaks HTTP/1.1 only, on the same server", async t => {
  const running = await start(t, { over: 'h2' }, declare)
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(running.wsUrl('/echo'), { ca: certificate.cert })
  await within(once(socket, 'open'), 'the websocket')
  socket.send('hello')
  const [data] = await within(once(socket, 'message'), 'the echo')
  t.equal(String(data), 'hello')
  t.same(versionsOf(running.app), new Set(['1.1']))
  socket.close()
  await within(once(socket, 'close'), 'the close')
})

// On an older Node there is neither.
if (runsUndici) t.test("undici's WebSocket", askUndici)
if (major >= 22) t.test("Node's own WebSocket", askNodesOwn)

async function askUndici (t: Test): Promise<void> {
  const { Agent, WebSocket, fetch }: Undici = await import('undici')
  const running = await start(t, { over: 'h2', websocket: { options: { perMessageDeflate: true, handleProtocols: () => 'chat' } } }, declare)
  const dispatcher = new Agent({ allowH2: true, connections: 1, connect: { ca: certificate.cert } })
  t.teardown(() => dispatcher.destroy())
  const sockets = Array.from({ length: SOCKETS }, () => new WebSocket(running.wsUrl('/echo'), { dispatcher, protocols: ['none', 'chat'] }))
  await Promise.all(sockets.map(async (socket, index) => {
    await within(once(socket, 'open'), 'the websocket')
    t.equal(socket.protocol, 'chat')
    socket.send(`hello ${index}`)
    const [{ data }] = await within(once(socket, 'message'), 'the echo')
    t.equal(data, `hello ${index}`)
  }))
  t.equal(await (await fetch(running.url('/plain'), { dispatcher })).text(), 'plain')
  t.equal(sessionsOf(running.app).size, 1)
  t.same(versionsOf(running.app), new Set(['2.0']))

  const closed = sockets.map(socket => within(once(socket, 'close'), 'the close'))
  for (const socket of sockets) socket.close(4000, 'bye')
  t.ok((await Promise.all(closed)).every(([{ code }]) => code === 4000))
  await until(() => running.app.websocketServer.clients.size === 0, 'the end at the server')
  const refused = new WebSocket(running.wsUrl('/refused'), { dispatcher })
  await within(once(refused, 'error'), 'the refusal')
}

async function askNodesOwn (t: Test): Promise<void> {
  const running = await start(t, { over: 'h2' }, declare)
  // It takes no certificate of its own.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => { delete process.env.NODE_TLS_REJECT_UNAUTHORIZED })
  const socket = new globalThis.WebSocket(running.wsUrl('/echo'))
  await within(once(socket, 'open'), 'the websocket')
  socket.send('hello')
  const [{ data }] = await within(once(socket, 'message'), 'the echo')
  t.equal(data, 'hello')
  t.same(versionsOf(running.app), new Set([major < 26 ? '1.1' : '2.0']))
  const closed = once(socket, 'close')
  socket.close(4000)
  t.equal((await within(closed, 'the close'))[0].code, 4000)
}

function sessionsOf (app: FastifyInstance): Set<unknown> {
  return seen.get(app)?.sessions ?? new Set()
}

function versionsOf (app: FastifyInstance): Set<string> {
  return seen.get(app)?.versions ?? new Set()
}

function declare (app: FastifyInstance): void {
  const sessions = new Set<unknown>()
  const versions = new Set<string>()
  seen.set(app, { sessions, versions })
  app.addHook('onRequest', async ({ raw }) => {
    sessions.add((raw as object as Partial<Http2ServerRequest>).stream?.session ?? raw.socket)
    versions.add(raw.httpVersion)
  })
  app.get('/plain', async () => 'plain')
  app.get('/echo', { websocket: true }, socket => { socket.on('message', (data, binary) => { socket.send(data, { binary }) }) })
  app.get('/refused', { websocket: true, onRequest: async (_request, reply) => { await reply.code(401).send('no') } }, () => {})
}
