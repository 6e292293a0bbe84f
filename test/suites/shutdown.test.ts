// close() ends, whatever its clients do, over every way in.
import t from 'tap'
import { start, ALL_TRANSPORTS } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { frame } from '../helpers/raw-client'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

const SHORT = 100

for (const way of WAYS) {
  t.test(`closes clients as the shutdown option says, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { shutdown: { code: 1001, reason: 'going away' } } }, app => {
      app.get('/', { websocket: true }, () => {})
    })
    const clients = [await connectBy(t, way, running), await connectBy(t, way, running)]

    await t.resolves(within(running.app.close(), 'app.close()'))

    for (const { inbox } of clients) t.same(await inbox.closed, { code: 1001, reason: 'going away' })
    await assertServerHoldsNothing(t, running.server)
  })

  t.test(`ends though a client reads nothing, over ${way}`, async t => {
    for (const clientTracking of [true, false]) {
      const running = await start(t, { over: transportOf(way), websocket: { shutdown: { timeout: SHORT }, options: { clientTracking } } }, app => {
        app.get('/', { websocket: true }, socket => { socket.send(Buffer.alloc(32 * 1024 * 1024)) })
      })
      const { socket } = await connectBy(t, way, running)
      socket.pause()

      await t.resolves(within(running.app.close(), 'app.close()'))
    }
  })

  t.test(`ends with clients that come, talk and leave meanwhile, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { shutdown: { timeout: SHORT } } }, app => {
      app.get('/', { websocket: true }, socket => { socket.on('message', data => socket.send(data)) })
      app.get('/slow', { websocket: true, preHandler: async () => { await new Promise(setImmediate) } }, socket => { socket.close() })
    })
    const clients = await Promise.all(Array.from({ length: 8 }, () => connectBy(t, way, running)))
    clients.forEach(({ socket }, index) => {
      if (index % 4 === 0) socket.terminate()
      else if (index % 4 === 1) socket.close(4000)
      else socket.send('hello')
    })
    const late = Array.from({ length: 4 }, () => connectBy(t, way, running, '/slow').catch(() => {}))

    await t.resolves(within(running.app.close(), 'app.close()'))
    await Promise.all(late)
    await assertServerHoldsNothing(t, running.server)
  })
}

for (const over of ALL_TRANSPORTS) {
  t.test(`cuts clients that never answer, over ${over}`, async t => {
    const running = await start(t, { over, websocket: { shutdown: { timeout: SHORT } } }, app => {
      app.get('/', { websocket: true }, () => {})
    })
    const clients = await Promise.all(Array.from({ length: 3 }, () => running.raw()))
    for (const client of clients) await client.upgrade('/').readResponse()

    await t.resolves(within(running.app.close(), 'app.close()'))

    for (const client of clients) await client.readUntilClose()
  })

  t.test(`ends within its limit though a client sends without end, over ${over}`, async t => {
    const running = await start(t, { over, websocket: { shutdown: { timeout: SHORT } } }, app => {
      app.get('/', { websocket: true }, async () => { await new Promise(() => {}) })
    })
    const client = await running.raw()
    await client.upgrade('/').readResponse()
    const flood = frame('binary', Buffer.alloc(64 * 1024))
    for (let i = 0; i < 64; i++) client.write(flood)
    const { clients } = running.app.websocketServer
    await until(() => [...clients].some(({ isPaused }) => isPaused), 'the pause')

    await t.resolves(within(running.app.close(), 'app.close()'))
    client.reset()
  })

  t.test(`refuses upgrades that are pending or arrive meanwhile, over ${over}`, async t => {
    const hooked = deferred()
    const answered = deferred()
    const running = await start(t, { over }, app => {
      // From its next step on Node ends connections without a request, before or after they send one.
      app.addHook('preClose', async () => { await answered.promise })
      app.addHook('preHandler', async request => {
        if (request.url !== '/pending') return
        hooked.resolve()
        await new Promise(() => {})
      })
      app.get('/', { websocket: true }, () => {})
      app.get('/pending', { websocket: true }, () => {})
    })
    const open = await running.raw()
    await open.upgrade('/').readResponse()
    const pending = await running.raw()
    const arriving = await running.raw()
    pending.upgrade('/pending')
    await within(hooked.promise, 'the hook')

    const closing = within(running.app.close(), 'app.close()', 2 * LIMIT)
    t.equal((await pending.readResponse()).status, 503)
    t.equal((await arriving.upgrade('/').readResponse()).status, 503)
    answered.resolve()
    for (const client of [open, pending, arriving]) client.fin()

    await t.resolves(closing)
    await assertServerHoldsNothing(t, running.server)
  })
}
