import t from 'tap'
import fastify from 'fastify'
import websocket from '../../src'
import { start } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { echo } from '../helpers/routes'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

for (const way of WAYS) {
  t.test(`lets so many upgrades wait and refuses the next before any hook, over ${way}`, async t => {
    let asked = 0
    const released = deferred()
    const running = await start(t, { over: transportOf(way), websocket: { maxPending: 2 } }, app => {
      app.addHook('onRequest', async () => {
        asked++
        await released.promise
      })
      app.get('/', { websocket: true }, socket => { socket.send('hello') })
    })
    const waiting = [0, 1].map(async () => await connectBy(t, way, running))
    await until(() => asked === 2, 'the hooks')

    await t.rejects(connectBy(t, way, running), { message: 'Unexpected server response: 503' })
    t.equal(asked, 2)

    released.resolve()
    for (const { inbox } of await Promise.all(waiting)) t.equal(String(await inbox.next()), 'hello')
    await t.resolves(connectBy(t, way, running), 'an open connection does not wait')
  })
}

t.test('says when to try again', async t => {
  const asked = deferred()
  const running = await start(t, { websocket: { maxPending: 1 } }, app => {
    app.get('/', { websocket: true, onRequest: async () => { asked.resolve(); await new Promise(() => {}) } }, () => {})
    echo(app, '/echo')
  })
  const waiting = (await running.raw()).upgrade('/')
  await within(asked.promise, 'the hook')
  t.match(await (await running.raw()).upgrade('/echo').readResponse(), { status: 503, headers: { 'retry-after': '10', connection: 'close' }, body: /"FST_WS_TOO_MANY_PENDING"/ })

  waiting.reset()
  await assertServerHoldsNothing(t, running.server)
  t.equal((await (await running.raw()).upgrade('/echo').readResponse()).status, 101)
})

t.test('does not count who is refused and reads, nor whom the application has taken', async t => {
  const taken = deferred()
  const running = await start(t, { websocket: { maxPending: 1, shutdown: { timeout: 50 } } }, app => {
    app.get('/taken', {
      websocket: true,
      onRequest: async (request, reply) => {
        reply.hijack()
        request.raw.socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
        taken.resolve()
      }
    }, () => {})
    app.get('/refused', { websocket: true, onRequest: async (_request, reply) => { await reply.code(403).send('x'.repeat(1024 * 1024)) } }, () => {})
    echo(app)
  })
  const refused = (await running.raw()).pause().upgrade('/refused')
  await running.logged('incoming request')
  t.equal((await (await running.raw()).upgrade('/taken').readResponse()).status, 101)
  await within(taken.promise, 'the taking')

  t.equal((await (await running.raw()).upgrade('/').readResponse()).status, 101)
  t.equal((await refused.resume().readResponse()).status, 403)
})

t.test('names what is wrong at the registration, and is no option of a route', async t => {
  for (const wrong of [0, -1, 1.5, '5', {}, true]) {
    const app = fastify()
    const options: object = { maxPending: wrong }
    await t.rejects(async () => await app.register(websocket, options), { code: 'FST_WS_INVALID_OPTION', message: /the option maxPending must be a whole number above 0/ })
    await app.close()
  }
  for (const none of [false, null, undefined] as const) {
    const running = await start(t, { websocket: { maxPending: none } }, app => {
      const options: object = { maxPending: 5 }
      t.throws(() => app.get('/route', { websocket: options }, () => {}), { code: 'FST_WS_INVALID_OPTION', message: /websocket\.maxPending is not known/ })
      echo(app)
    })
    await running.connect()
  }
})
