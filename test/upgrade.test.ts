import t from 'tap'
import { WebSocket } from 'ws'
import { upgradeOf } from '../src/upgrade'
import { start } from './helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { assertRefusal } from './helpers/refusal'
import { echo } from './helpers/routes'

checkLeaksAtEnd(t)

t.test('knows a request as an upgrade before and after the 101, and a plain request never', async t => {
  const seen: boolean[] = []
  const running = await start(t, app => {
    app.addHook('onRequest', async request => { seen.push(upgradeOf(request.raw) !== undefined) })
    app.get('/', { websocket: true }, (socket, request) => { socket.send(String(upgradeOf(request.raw)?.isPending)) })
    app.get('/plain', async () => 'plain')
  })
  const { inbox } = await running.connect()
  t.equal(String(await inbox.next()), 'false')
  await (await running.raw()).request('GET', '/plain').readResponse()

  t.same(seen, [true, false])
})

t.test('refuses with the status, the code and the message of an error', async t => {
  const running = await start(t, app => {
    app.addHook('onRequest', (request, reply) => {
      reply.hijack()
      upgradeOf(request.raw)?.refuse({ name: 'Error', statusCode: 429, code: 'TOO_MANY', message: 'slow down' })
      upgradeOf(request.raw)?.refuse({ name: 'Error', code: 'AGAIN', message: 'only the first counts' })
    })
    echo(app)
  })

  await assertRefusal(t, running, {
    status: 429,
    body: JSON.stringify({ statusCode: 429, code: 'TOO_MANY', error: 'Too Many Requests', message: 'slow down' })
  })
})

t.test('refuses with 500 for an error without a status', async t => {
  const running = await start(t, app => {
    app.addHook('onRequest', (request, reply) => {
      reply.hijack()
      upgradeOf(request.raw)?.refuse({ name: 'Error', code: 'BROKEN', message: 'no status' })
    })
    echo(app)
  })

  await assertRefusal(t, running, { status: 500, body: /"statusCode":500,"code":"BROKEN"/ })
})

t.test('ends the stream where the handshake breaks off behind the 101', async t => {
  class Broken extends WebSocket {
    setSocket (): void {
      throw new Error('broken class')
    }
  }
  const running = await start(t, { websocket: { options: { WebSocket: Broken as unknown as typeof WebSocket } } }, echo)
  const client = await running.raw()
  t.equal((await client.upgrade('/').readResponse()).status, 101)

  t.equal((await client.readUntilClose()).length, 0, 'and no answer of HTTP behind it')
  t.match(await running.logged('broken class'), { level: 50 })
  await assertServerHoldsNothing(t, running.server)
})

t.test('answers 500 where the handshake breaks off before the 101', async t => {
  const running = await start(t, app => {
    app.websocketServer.on('headers', () => { throw new Error('broken listener') })
    echo(app)
  })

  await assertRefusal(t, running, { status: 500, body: /FST_WS_HANDSHAKE_FAILED/ })
})

t.test('does not answer where the application has begun to', async t => {
  const running = await start(t, app => {
    app.addHook('onRequest', (request, reply) => {
      reply.hijack()
      request.raw.socket.write('mine')
      upgradeOf(request.raw)?.refuse({ name: 'Error', statusCode: 429, code: 'TOO_MANY', message: 'slow down' })
      request.raw.socket.end()
    })
    echo(app)
  })
  const client = await running.raw()

  t.equal(String(await client.upgrade('/').readUntilClose()), 'mine')
})
