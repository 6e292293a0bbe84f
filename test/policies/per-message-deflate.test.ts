import t from 'tap'
import fastify from 'fastify'
import websocket from '../../src'
import { SAFE_DEFLATE } from '../../src/safe-deflate'
import { start } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { echo } from '../helpers/routes'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

for (const way of WAYS) {
  t.test(`agrees on the compression of the route, over ${way}`, async t => {
    for (const server of [undefined, true, 'safe'] as const) {
      const running = await start(t, { over: transportOf(way), websocket: { options: { perMessageDeflate: server } } }, app => {
        for (const compression of [true, 'safe', false, null, undefined] as const) {
          app.get(`/${compression}`, { websocket: { perMessageDeflate: compression } }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
        }
        app.get('/object', { websocket: { perMessageDeflate: { threshold: 5 } } }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
        echo(app)
      })
      for (const [path, isCompressed] of Object.entries({ '/true': true, '/safe': true, '/object': true, '/false': false, '/null': false, '/undefined': Boolean(server), '/': Boolean(server) })) {
        const { socket, inbox } = await connectBy(t, way, running, path, { perMessageDeflate: true })
        t.equal(socket.extensions, isCompressed ? 'permessage-deflate' : '', path)
        socket.send('hello '.repeat(1000))
        t.equal(String(await inbox.next()).length, 6000)
      }
      t.strictSame(running.app.websocketServer.options.perMessageDeflate, { true: {}, safe: SAFE_DEFLATE }[String(server)])
    }
  })
}

t.test('agrees on small windows where it is safe, and opens without compression for a client that has none', async t => {
  const running = await start(t, app => { app.get('/', { websocket: { perMessageDeflate: 'safe' } }, () => {}) })
  for (const [offer, answer] of [['permessage-deflate; client_max_window_bits', /server_max_window_bits=10/], ['permessage-deflate', undefined]] as const) {
    const { status, headers } = await (await running.raw()).upgrade('/', { 'Sec-WebSocket-Extensions': offer }).readResponse()
    t.equal(status, 101)
    t.match(headers['sec-websocket-extensions'], answer)
  }
})

t.test('refuses what is no compression at the declaration', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  const declare = (perMessageDeflate: unknown): void => {
    const options: object = { perMessageDeflate }
    app.get('/', { websocket: options }, () => {})
  }
  for (const wrong of ['fast', 1, []]) t.throws(() => { declare(wrong) }, { code: 'FST_WS_INVALID_OPTION', message: /websocket\.perMessageDeflate must be a boolean, 'safe' or an object/ })
  t.throws(() => { declare({ treshold: 1 }) }, { code: 'FST_WS_INVALID_OPTION', message: /websocket\.perMessageDeflate\.treshold is not known; there are server/ })
})
