import t from 'tap'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { start } from '../helpers/app'
import { closeFrame, frame, OPCODES } from '../helpers/raw-client'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { connectBy, flushed, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

for (const way of WAYS) {
  t.test(`closes a connection at the end of its lifetime, whatever it says, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { maxLifetime: 80 } }, app => { app.get('/', { websocket: true }, () => {}) })
    const { socket, inbox } = await connectBy(t, way, running)
    const talking = setInterval(() => { socket.send('x') }, 10)
    t.match(await within(inbox.closed, 'the close'), { code: 1008, reason: 'expired' })
    clearInterval(talking)
  })

  t.test(`closes a connection at the date that a handler gave it, without the option, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way) }, app => {
      app.get('/', { websocket: true }, socket => { socket.expiresAt?.(new Date(Date.now() + 50)) })
    })
    const { inbox } = await connectBy(t, way, running)
    t.match(await within(inbox.closed, 'the close'), { code: 1008, reason: 'expired' })
  })
}

t.test('a later date extends, an earlier one shortens, and Infinity lifts it', async t => {
  const running = await start(t, app => {
    app.get('/none', { websocket: true }, () => {})
    app.get('/short', { websocket: true }, socket => { socket.expiresAt?.(Date.now() + 60) })
    app.get('/extended', { websocket: true }, socket => {
      socket.expiresAt?.(Date.now() + 40)
      socket.expiresAt?.(Date.now() + 60_000)
    })
    app.get('/lifted', { websocket: true }, socket => {
      socket.expiresAt?.(Date.now() + 40)
      socket.expiresAt?.(Infinity)
      socket.on('message', () => { socket.expiresAt?.(Date.now() + 20) })
    })
  })
  await running.connect('/none')
  const extended = await running.connect('/extended')
  const lifted = await running.connect('/lifted')
  await within((await running.connect('/short')).inbox.closed, 'the close')
  t.equal(extended.socket.readyState, 1)
  t.equal(lifted.socket.readyState, 1)
  lifted.socket.send('shorten')
  t.equal((await within(lifted.inbox.closed, 'the close')).code, 1008)
})

t.test('no date goes past the lifetime of the route, and its code holds for a date too', async t => {
  const running = await start(t, app => {
    app.get('/', { websocket: { maxLifetime: { timeout: 60, code: 4401, reason: 'sign in again' } } }, socket => { socket.expiresAt?.(Date.now() + 60_000) })
    app.get('/sooner', { websocket: { maxLifetime: { timeout: 60_000, code: 4401 } } }, socket => { socket.expiresAt?.(Date.now() + 30) })
    app.get('/code', { websocket: { maxLifetime: { code: 4402 } } }, socket => { socket.expiresAt?.(Date.now() + 30) })
  })
  t.match(await within((await running.connect()).inbox.closed, 'the close'), { code: 4401, reason: 'sign in again' })
  t.match(await within((await running.connect('/sooner')).inbox.closed, 'the close'), { code: 4401, reason: 'expired' })
  t.match(await within((await running.connect('/code')).inbox.closed, 'the close'), { code: 4402 })
})

t.test('a date that has passed ends at once: nothing more is sent, nor heard', async t => {
  const heard: string[] = []
  const running = await start(t, app => {
    app.get('/', { websocket: true }, socket => {
      socket.on('message', data => { heard.push(String(data)) })
      socket.expiresAt?.(0)
      t.equal(socket.readyState, socket.CLOSING)
      socket.send('too late')
    })
  })
  const connected = once(running.app.websocketServer, 'connection')
  const client = await running.raw()
  await client.upgrade('/').readResponse()
  const [served] = await connected
  t.equal((await client.readFrame()).opcode, OPCODES.close)
  const answered = once(served, 'close')
  client.write(Buffer.concat([frame('text', 'still here'), closeFrame(1008)])).fin()
  await within(answered, 'the close')
  t.same(heard, [])
})

t.test('does nothing on a socket that is closing: the first code stands', async t => {
  const running = await start(t, { websocket: { maxLifetime: 60 } }, app => {
    app.get('/', { websocket: true }, () => {})
    app.get('/closing', { websocket: true }, socket => {
      socket.close(4000, 'before')
      socket.expiresAt?.(0)
    })
  })
  const client = await running.raw()
  await client.upgrade('/closing').readResponse()
  t.match(await client.readFrame(), { payload: Buffer.from('\x0f\xa0before', 'latin1') })
  await within((await running.connect()).inbox.closed, 'the end of a lifetime')
  t.equal(client.leftover.length, 0)
  client.write(closeFrame(4000)).fin()
  await client.readUntilClose()
})

t.test('ends a client that is held back', async t => {
  const running = await start(t, { websocket: { maxLifetime: 40 } }, app => { app.get('/', { websocket: true }, socket => { socket.pause() }) })
  t.equal((await within((await running.connect()).inbox.closed, 'the close')).code, 1008)
})

t.test('every socket has the method, of whatever class, and costs nothing for it', async t => {
  class Named extends WebSocket { label = 'mine' }
  for (const Class of [Named, undefined]) {
    const running = await start(t, { websocket: { options: { WebSocket: Class } as object } }, app => {
      app.get('/', { websocket: true }, socket => {
        t.ok(socket instanceof (Class ?? WebSocket))
        t.notOk(Object.hasOwn(socket, 'expiresAt'))
        socket.send(typeof socket.expiresAt)
      })
    })
    const { inbox, socket } = await running.connect()
    t.equal(String(await inbox.next()), 'function')
    await flushed(socket)
  }
})

t.test('refuses what is no date, and what is no time', async t => {
  const running = await start(t, app => {
    app.get('/', { websocket: true }, socket => {
      for (const date of ['tomorrow', undefined, NaN, new Date('?')]) {
        t.throws(() => socket.expiresAt?.(date as Date), { code: 'FST_WS_INVALID_DATE', message: `expiresAt takes a Date or milliseconds since 1970; it was given ${String(date)}` })
      }
      socket.send('done')
    })
  })
  t.equal(String(await (await running.connect()).inbox.next()), 'done')
  await t.rejects(start(t, { websocket: { maxLifetime: '1h' } as object }, () => {}), { code: 'FST_WS_INVALID_OPTION', message: /maxLifetime must be a number of milliseconds, or an object/ })
})
