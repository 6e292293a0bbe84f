import t from 'tap'
import { once } from 'node:events'
import { connectionsOf } from '../src/connections'
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
