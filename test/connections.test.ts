import t from 'tap'
import { EventEmitter, once } from 'node:events'
import type { WebSocket } from 'ws'
import { adopt, connectionsOf } from '../src/connections'
import { start } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { echo } from './helpers/routes'

checkLeaksAtEnd(t)

for (const clientTracking of [true, false]) {
  t.test(`holds the connections while they are open, with clientTracking ${clientTracking}`, async t => {
    const running = await start(t, { websocket: { options: { clientTracking } } }, echo)
    const connections = connectionsOf(running.app.websocketServer)
    const connected = once(running.app.websocketServer, 'connection')
    const { socket } = await running.connect()
    const [served] = await within(connected, 'the connection')

    t.same([...connections], [served])
    socket.close()
    await until(() => connections.size === 0, 'the close')
  })
}

t.test("takes in a socket of another server, and tells the server's close when that was the last", async t => {
  const running = await start(t, echo)
  const { websocketServer } = running.app
  const connected = once(websocketServer, 'connection')
  await running.connect()
  const [own] = await within(connected, 'the connection')
  const other = new EventEmitter() as WebSocket
  const listeners = own.listenerCount('close')
  adopt(websocketServer, own)
  t.equal(own.listenerCount('close'), listeners, 'it knows one of its own')
  adopt(websocketServer, other)
  t.same([...connectionsOf(websocketServer)], [own, other])

  let hasClosed = false
  websocketServer.on('close', () => { hasClosed = true })
  websocketServer.close()
  own.terminate()
  await until(() => connectionsOf(websocketServer).size === 1, 'the close')
  t.notOk(hasClosed)
  other.emit('close')
  t.ok(hasClosed)
})

t.test('tells no close of a server that is open, and keeps no list where there is none', async t => {
  const running = await start(t, echo)
  const { websocketServer } = running.app
  const other = new EventEmitter() as WebSocket
  adopt(websocketServer, other)
  websocketServer.on('close', () => { t.fail('it is open') })
  other.emit('close')
  t.equal(websocketServer.clients.size, 0)
  websocketServer.removeAllListeners('close')

  const untracked = await start(t, { websocket: { options: { clientTracking: false } } }, echo)
  adopt(untracked.app.websocketServer, other)
  t.equal(other.listenerCount('close'), 0)
})
