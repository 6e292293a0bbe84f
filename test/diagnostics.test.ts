import t, { type Test } from 'tap'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { WebSocket } from 'ws'
import type { DiagnosticsClose, DiagnosticsError, DiagnosticsOpen, DiagnosticsRefuse, WebsocketPluginOptions } from '../types'
import { start, type Declare } from './helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { until } from './helpers/limit'
import { frame } from './helpers/raw-client'
import { echo } from './helpers/routes'
import { connectBy, transportOf, WAYS } from './helpers/ways'

checkLeaksAtEnd(t)

interface Channels {
  open: DiagnosticsOpen
  close: DiagnosticsClose
  refuse: DiagnosticsRefuse
  error: DiagnosticsError
}

/** What a channel tells from now on. */
function observe<Name extends keyof Channels> (t: Test, name: Name): Array<Channels[Name]> {
  const messages: Array<Channels[Name]> = []
  const onMessage = (message: unknown): void => { messages.push(message as Channels[Name]) }
  subscribe(`fastify-wss:${name}`, onMessage)
  t.teardown(() => { unsubscribe(`fastify-wss:${name}`, onMessage) })
  return messages
}

for (const way of WAYS) {
  t.test(`tells of a connection that opens and ends (${way})`, async t => {
    const opens = observe(t, 'open')
    const closes = observe(t, 'close')
    const sockets: WebSocket[] = []
    const running = await start(t, { over: transportOf(way) }, app => {
      app.get('/rooms/:room', { websocket: true }, socket => {
        t.equal(opens.length, 1, 'before the handler runs')
        sockets.push(socket)
        socket.on('message', () => { socket.send('12') })
      })
    })
    const { socket, inbox } = await connectBy(t, way, running, '/rooms/7')
    socket.send('1')
    await inbox.next()
    socket.close(4000, 'adieu')
    await until(() => closes.length > 0, 'the end')

    t.equal(opens.length, 1)
    t.equal(opens[0]?.socket, sockets[0])
    t.equal(opens[0]?.url, '/rooms/:room')
    t.equal(opens[0]?.request.url, '/rooms/7')
    t.equal(closes.length, 1)
    const { socket: ended, duration, ...rest } = closes[0] as DiagnosticsClose
    t.equal(ended, sockets[0])
    t.ok(duration > 0)
    t.same(rest, { url: '/rooms/:room', code: 4000, reason: 'adieu', messagesReceived: 1, messagesSent: 1, bytesReceived: 1, bytesSent: 2 })
  })
}

t.test('counts nothing, and tells of no end, where nobody listened when the connection opened', async t => {
  const running = await start(t, app => {
    app.get('/', { websocket: true }, socket => { socket.send(String(Object.hasOwn(socket, 'send') || Object.hasOwn(socket, 'emit'))) })
  })
  const { socket, inbox } = await running.connect()
  const closes = observe(t, 'close')
  t.equal(String(await inbox.next()), 'false')
  const later = await running.connect()
  t.equal(String(await later.inbox.next()), 'true')

  socket.close()
  await inbox.closed
  later.socket.close(4001)
  await until(() => closes.length > 0, 'the end')
  t.same(closes.map(({ code }) => code), [4001])
})

const failures: Record<string, [declare: Declare, message: string]> = {
  'a handler that throws': [app => app.get('/', { websocket: true }, () => { throw new Error('thrown') }), 'thrown'],
  'a handler that rejects': [app => app.get('/', { websocket: true }, async () => { throw new Error('rejected') }), 'rejected'],
  'a socket that errs': [app => { echo(app) }, 'Invalid WebSocket frame: MASK must be set']
}

for (const [name, [declare, message]] of Object.entries(failures)) {
  for (const errorHandler of [undefined, (_error: Error, socket: WebSocket) => { socket.terminate() }]) {
    t.test(`tells once of ${name}, ${errorHandler === undefined ? 'without' : 'with'} an errorHandler`, async t => {
      const errors = observe(t, 'error')
      const running = await start(t, { websocket: { errorHandler } as WebsocketPluginOptions }, declare)
      const client = await running.raw()
      await client.upgrade('/').readResponse()
      client.write(frame('text', 'not masked', { mask: false }))
      await client.readUntilClose()

      t.match(errors, [{ error: { message }, socket: { readyState: Number } }])
      t.equal(errors.length, 1)
    })
  }
}

t.test('an observer that throws disturbs neither the connection nor the others', async t => {
  const thrown: unknown[] = []
  const onOpen = (): void => { throw new Error('by an observer') }
  const onUncaught = (error: unknown): void => { thrown.push(error) }
  subscribe('fastify-wss:open', onOpen)
  process.setUncaughtExceptionCaptureCallback(onUncaught)
  t.teardown(() => {
    unsubscribe('fastify-wss:open', onOpen)
    process.setUncaughtExceptionCaptureCallback(null)
  })
  const opens = observe(t, 'open')
  const running = await start(t, app => { echo(app) })
  const { socket, inbox } = await running.connect()
  socket.send('hello')

  t.equal(String(await inbox.next()), 'hello')
  t.equal(opens.length, 1)
  t.match(thrown, [{ message: 'by an observer' }])
})

const refusals: Array<[name: string, status: number, declare: Declare, options?: WebsocketPluginOptions]> = [
  ['no route', 404, () => {}],
  ['a hook that replies', 403, app => { app.get('/', { websocket: true, preHandler: async (_request, reply) => { await reply.code(403).send('no') } }, () => {}) }],
  ['a hook that throws', 418, app => { app.get('/', { websocket: true, onRequest: async () => { throw Object.assign(new Error('no'), { statusCode: 418 }) } }, () => {}) }],
  ['a handshake that fails', 500, app => { echo(app) }, { options: { verifyClient: () => { throw new Error('no') } } }],
  ['a verifyClient that says no', 401, app => { echo(app) }, { options: { verifyClient: async () => false } }],
  ['a verifyClient that says why', 402, app => { echo(app) }, { options: { verifyClient: (_info, answer) => { answer(false, 402) } } }]
]

for (const [name, status, declare, options = {}] of refusals) {
  t.test(`tells of an upgrade that is refused: ${name}`, async t => {
    const refused = observe(t, 'refuse')
    const running = await start(t, { websocket: options }, declare)
    await t.rejects(running.connect('/?a'), { message: `Unexpected server response: ${status}` })

    t.equal(refused.length, 1)
    t.match(refused[0], { statusCode: status, rawRequest: { url: '/?a', method: 'GET' } })
  })
}

t.test('tells of a handshake that ws refuses', async t => {
  const refused = observe(t, 'refuse')
  const running = await start(t, app => { echo(app) })
  const client = await running.raw()
  t.equal((await client.upgrade('/', { 'sec-websocket-version': '12' }).readResponse()).status, 400)

  t.equal(refused.length, 1)
  t.equal(refused[0]?.statusCode, undefined)
})

t.test('tells of no refusal where none is: an upgrade to another protocol, a plain request, a client that leaves', async t => {
  const refused = observe(t, 'refuse')
  const running = await start(t, app => {
    app.get('/', async () => 'plain')
    app.get('/never', { websocket: true, onRequest: () => {} }, () => {})
  })
  const h2c = await running.raw()
  h2c.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n')
  t.equal((await h2c.readResponse()).body, 'plain')
  t.equal((await running.app.inject('/')).body, 'plain')
  const left = await running.raw()
  left.upgrade('/never').reset()
  h2c.fin()
  await assertServerHoldsNothing(t, running.server)

  t.same(refused, [])
})
