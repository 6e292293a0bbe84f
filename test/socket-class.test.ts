import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { extendSockets } from '../src/socket-class'
import { start } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'
import { within } from './helpers/limit'

checkLeaksAtEnd(t)

for (const OfApplication of [undefined, class Own extends WebSocket { mine = true }]) {
  t.test(`sockets get a method more, on top of ${OfApplication === undefined ? 'those of ws' : 'those of a class of the application'}`, async t => {
    const running = await start(t, { websocket: { options: { WebSocket: OfApplication } } }, app => {
      app.get('/', { websocket: true }, () => {})
      extendSockets(app.websocketServer, Base => class extends Base {
        shout (text: string): void { this.send(text.toUpperCase()) }
      })
    })
    const connected = once(running.app.websocketServer, 'connection')
    const { inbox } = await running.connect()
    const [served] = await within(connected, 'the connection')
    served.shout('hello')
    t.equal(String(await inbox.next()), 'HELLO')
    t.ok(served instanceof (OfApplication ?? WebSocket))
    t.type(served.expiresAt, 'function')
  })
}
