import t from 'tap'
import type { WebSocket } from 'ws'
import { start } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

const websocket = { idleTimeout: 80 }

for (const way of WAYS) {
  t.test(`closes a connection on which nobody says anything, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket }, app => { app.get('/', { websocket: true }, () => {}) })
    const { socket, inbox } = await connectBy(t, way, running)
    const pinging = setInterval(() => { socket.ping() }, 10)
    t.match(await within(inbox.closed, 'the close'), { code: 1001, reason: 'idle' }, 'though it pings')
    clearInterval(pinging)
  })

  for (const side of ['client', 'server']) {
    t.test(`takes a message of the ${side} for a sign of use, over ${way}`, async t => {
      const served: WebSocket[] = []
      const running = await start(t, { over: transportOf(way), websocket }, app => {
        app.get('/', { websocket: true }, socket => { served.push(socket) })
      })
      const { socket, inbox } = await connectBy(t, way, running)
      const talker = side === 'client' ? socket : served[0]
      const talking = setInterval(() => { talker?.send('x') }, 10)
      for (let i = 0; i < 2; i++) await (await connectBy(t, way, running)).inbox.closed
      t.equal(socket.readyState, 1, 'two that were silent have ended')
      clearInterval(talking)
      t.equal((await within(inbox.closed, 'the close')).code, 1001)
    })
  }
}

t.test('counts messages that are held for a handler that gets ready', async t => {
  let listen = (): void => {}
  const running = await start(t, { websocket }, app => {
    app.get('/', { websocket: true }, () => {})
    app.get('/late', { websocket: true }, async socket => {
      await new Promise<void>(resolve => { listen = resolve })
      socket.on('message', data => { socket.send(String(data)) })
    })
  })
  const { socket, inbox } = await running.connect('/late')
  const talking = setInterval(() => { socket.send('early') }, 10)
  for (let i = 0; i < 2; i++) await (await running.connect()).inbox.closed
  clearInterval(talking)
  t.equal(socket.readyState, 1)
  listen()
  t.equal(String(await inbox.next()), 'early')
})

t.test('does not take a client for idle that is held back', async t => {
  const served: WebSocket[] = []
  const running = await start(t, { websocket }, app => {
    app.get('/', { websocket: true }, () => {})
    app.get('/paused', { websocket: true }, socket => {
      served.push(socket)
      socket.pause()
    })
  })
  const { socket, inbox } = await running.connect('/paused')
  for (let i = 0; i < 2; i++) await (await running.connect()).inbox.closed
  t.equal(socket.readyState, 1)
  served[0]?.resume()
  t.equal((await within(inbox.closed, 'the close')).code, 1001)
})

t.test('a route has its own time and code, or none', async t => {
  const running = await start(t, { websocket }, app => {
    app.get('/', { websocket: true }, () => {})
    app.get('/own', { websocket: { idleTimeout: { timeout: 30, code: 4000, reason: 'bye' } } }, () => {})
    app.get('/off', { websocket: { idleTimeout: false } }, () => {})
  })
  const off = await running.connect('/off')
  t.match(await within((await running.connect('/own')).inbox.closed, 'the close'), { code: 4000, reason: 'bye' })
  await (await running.connect()).inbox.closed
  t.equal(off.socket.readyState, 1)
})

t.test('refuses what is no time', async t => {
  const bad: Array<[unknown, RegExp]> = [
    [true, /idleTimeout must be a number of milliseconds, or an object, or false; it is true/],
    [-1, /idleTimeout must be a number of milliseconds above 0/],
    [{ code: 4000 }, /idleTimeout\.timeout is needed/]
  ]
  for (const [idleTimeout, message] of bad) {
    await t.rejects(start(t, { websocket: { idleTimeout } as object }, () => {}), { code: 'FST_WS_INVALID_OPTION', message })
  }
})
