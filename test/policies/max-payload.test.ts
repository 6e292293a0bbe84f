import t from 'tap'
import fastify from 'fastify'
import websocket from '../../src'
import { start } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { echo } from '../helpers/routes'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

for (const way of WAYS) {
  t.test(`holds the clients of a route to its own size, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { options: { maxPayload: 20 } } }, app => {
      app.get('/small', { websocket: { maxPayload: 5 } }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
      app.get('/large', { websocket: { maxPayload: 100 } }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
      for (const none of [0, null]) app.get(`/${none}`, { websocket: { maxPayload: none } }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
      app.get('/undefined', { websocket: { maxPayload: undefined } }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
      echo(app)
    })
    const sizes: Array<[path: string, within: number, over: number | undefined]> = [
      ['/small', 5, 6], ['/large', 100, 101], ['/', 20, 21], ['/undefined', 20, 21], ['/0', 1000, undefined], ['/null', 1000, undefined]
    ]
    for (const [path, within, over] of sizes) {
      const { socket, inbox } = await connectBy(t, way, running, path)
      socket.send('x'.repeat(within))
      t.equal(String(await inbox.next()).length, within)
      if (over === undefined) continue
      socket.send('x'.repeat(over))
      t.equal((await inbox.closed).code, 1009, path)
    }
    t.equal(running.app.websocketServer.options.maxPayload, 20)
  })
}

t.test('refuses what is no size at the declaration', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  for (const wrong of [-1, 0.5, NaN, Infinity, 2 ** 31, '1mb', false]) {
    const options: object = { maxPayload: wrong }
    t.throws(() => app.get('/', { websocket: options }, () => {}), { code: 'FST_WS_INVALID_OPTION', message: /websocket\.maxPayload must be a whole number of bytes/ })
  }
})
