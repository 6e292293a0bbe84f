import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { countSent, hasPlainSend, isPlain, markPlain, tellSent } from '../src/sent'
import { start, type Client } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'
import { within } from './helpers/limit'

checkLeaksAtEnd(t)

async function connect (t: Test, websocket: object = {}): Promise<Client & { served: WebSocket }> {
  const running = await start(t, { websocket }, app => { app.get('/', { websocket: true }, () => {}) })
  const connected = once(running.app.websocketServer, 'connection')
  const client = await running.connect()
  const [served] = await within(connected, 'the connection')
  return { ...client, served }
}

t.test('tells everybody who counts of each message, what send() was given', async t => {
  const { served, inbox } = await connect(t)
  const keys = Object.keys(served)
  const counted: unknown[][] = []
  countSent(served, (socket, data, options) => counted.push(['first', socket === served, data, options]))
  countSent(served, (_socket, data) => counted.push(['second', data]))
  served.send('a', { fin: false })
  served.send('b')
  t.equal(String(await inbox.next()), 'ab')
  t.same(counted, [['first', true, 'a', { fin: false }], ['second', 'a'], ['first', true, 'b', undefined], ['second', 'b']])
  t.same(Object.keys(served), keys, 'nothing to be seen')
})

t.test('tells of nothing that cannot be sent', async t => {
  const { served } = await connect(t)
  let count = 0
  countSent(served, () => { count++ })
  t.throws(() => { served.send(Symbol('no') as never) })
  served.close()
  served.send('late')
  t.equal(count, 0)
})

t.test('tells of a message that went past send(), where somebody counts', async t => {
  const { served } = await connect(t)
  tellSent(served, 'nobody')
  const counted: unknown[][] = []
  countSent(served, (socket, data, options) => counted.push([socket === served, data, options]))
  tellSent(served, 'x')
  t.same(counted, [[true, 'x', undefined]])
})

t.test('knows whether somebody but those who count wants to see what send() is given', async t => {
  const { served } = await connect(t)
  t.ok(hasPlainSend(served))
  countSent(served, () => {})
  t.not(served.send, WebSocket.prototype.send)
  t.ok(hasPlainSend(served))
  served.send = () => {}
  t.notOk(hasPlainSend(served))
})

t.test('a send() that is marked is taken for that of ws', async t => {
  class Mine extends WebSocket {
    override send (...args: unknown[]): void { Reflect.apply(super.send, this, args) }
  }
  t.notOk(isPlain(Mine.prototype.send))
  markPlain(Mine.prototype.send)
  t.ok(isPlain(Mine.prototype.send))
  const { served } = await connect(t, { options: { WebSocket: Mine } })
  countSent(served, () => {})
  t.ok(hasPlainSend(served))
})
