import t from 'tap'
import fastify from 'fastify'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import websocket from '../../src'
import { start } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

for (const way of WAYS) {
  t.test(`answers the upgrades of its route only, after the other options, over ${way}`, async t => {
    const own = new WebSocketServer({ noServer: true, handleProtocols: () => 'mine' })
    const running = await start(t, { over: transportOf(way), websocket: { origin: 'https://app.example', maxConnections: { perRoute: 1 } } }, app => {
      app.get('/own', {
        websocket: {
          upgrade: async ({ raw }, rawSocket, head) => await new Promise<WebSocket>(resolve => { own.handleUpgrade(raw, rawSocket, head, resolve) })
        }
      }, socket => { socket.send('own') })
      for (const none of [false, null] as const) app.get(`/${none}`, { websocket: { upgrade: none } }, socket => { socket.send('ws') })
    })
    const protocols = ['theirs', 'mine']
    await t.rejects(connectBy(t, way, running, '/own', { origin: 'https://evil.example' }), { message: 'Unexpected server response: 403' })
    const { socket, inbox } = await connectBy(t, way, running, '/own', { protocols })
    t.equal(socket.protocol, 'mine')
    t.equal(String(await inbox.next()), 'own')
    await t.rejects(connectBy(t, way, running, '/own', { protocols }), { message: 'Unexpected server response: 503' })
    for (const path of ['/false', '/null']) {
      const other = await connectBy(t, way, running, path, { protocols })
      t.equal(other.socket.protocol, 'theirs')
      t.equal(String(await other.inbox.next()), 'ws')
    }
  })
}

t.test('names what is wrong at the declaration', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  const wrong: Array<[object, RegExp]> = [
    [{ upgrade: true }, /websocket\.upgrade must be a function/],
    [{ upgrade: () => {}, maxPayload: 5 }, /websocket\.maxPayload has no effect beside websocket\.upgrade, which takes the place of ws; it is 5/],
    [{ upgrade: () => {}, verifyClient: false }, /websocket\.verifyClient has no effect/],
    [{ upgrade: () => {}, handleProtocols: () => 'one' }, /websocket\.handleProtocols has no effect/],
    [{ upgrade: () => {}, perMessageDeflate: 'safe' }, /websocket\.perMessageDeflate has no effect/]
  ]
  for (const [options, message] of wrong) t.throws(() => app.get('/', { websocket: options }, () => {}), { code: 'FST_WS_INVALID_OPTION', message })
})
