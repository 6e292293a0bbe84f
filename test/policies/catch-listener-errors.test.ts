import t, { type Test } from 'tap'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { errorMonitor, once } from 'node:events'
import fastify from 'fastify'
import { WebSocket, type WebSocketServer } from 'ws'
import websocket from '../../src'
import type { WebsocketHandler, WebsocketPluginOptions } from '../../types'
import { start, type Running } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectBy, flushed, transportOf, WAYS, type Way } from '../helpers/ways'

checkLeaksAtEnd(t)

interface Served {
  running: Running;
  errors: string[];
}

/** Tells the messages of the errors that reach the errorHandler. */
async function serve (t: Test, handler: WebsocketHandler, way: Way = 'tcp', options: WebsocketPluginOptions = {}): Promise<Served> {
  const errors: string[] = []
  const running = await start(t, { over: transportOf(way), websocket: { catchListenerErrors: true, errorHandler (error) { errors.push(error.message) }, ...options } }, app => {
    app.get('/', { websocket: true }, handler)
  })
  return { running, errors }
}

const ways: Record<string, (socket: WebSocket, listener: (text: string) => unknown) => void> = {
  on: (socket, listener) => { socket.on('message', data => listener(String(data))) },
  once: (socket, listener) => { socket.once('message', data => listener(String(data))) },
  prependListener: (socket, listener) => { socket.prependListener('message', data => listener(String(data))) },
  prependOnceListener: (socket, listener) => { socket.prependOnceListener('message', data => listener(String(data))) },
  addEventListener: (socket, listener) => { socket.addEventListener('message', ({ data }) => listener(String(data))) },
  'addEventListener with once': (socket, listener) => { socket.addEventListener('message', ({ data }) => listener(String(data)), { once: true }) },
  'addEventListener of an object': (socket, listener) => {
    const object = { handleEvent ({ data }: { data: unknown }) { return this === object ? listener(String(data)) : undefined } }
    Reflect.apply(socket.addEventListener, socket, ['message', object])
  },
  'onmessage =': (socket, listener) => { socket.onmessage = ({ data }) => listener(String(data)) }
}

for (const way of WAYS) {
  t.test(`sends what listeners throw and reject with to the errorHandler, over ${way}`, async t => {
    const names = Object.keys(ways)
    const { running, errors } = await serve(t, (socket, { query }) => {
      const { add, isAsync } = query as { add: string, isAsync?: string }
      const fail = (text: string): never => { throw new Error(`${add} ${text}`) }
      ways[add]?.(socket, isAsync === undefined ? fail : async text => { await null; fail(text) })
      socket.on('message', data => { socket.send(String(data)) })
    }, way)
    for (const name of names) {
      for (const isAsync of ['', '&isAsync']) {
        const { socket, inbox } = await connectBy(t, way, running, `/?add=${encodeURIComponent(name)}${isAsync}`)
        for (const text of ['first', 'second']) {
          socket.send(text)
          t.equal(String(await inbox.next()), text, 'the other listeners are called, and the connection is open')
        }
        const expected = name.toLowerCase().includes('once') ? [`${name} first`] : [`${name} first`, `${name} second`]
        t.same(errors.splice(0), expected, name + isAsync)
      }
    }
  })
}

t.test('logs and terminates where there is no errorHandler', async t => {
  const { running } = await serve(t, socket => { socket.on('message', async () => { throw new Error('by a listener') }) }, 'tcp', { errorHandler: undefined })
  const { socket, inbox } = await running.connect()
  socket.send('x')
  t.equal((await inbox.closed).code, 1006)
  t.match(await running.logged('by a listener'), { level: 50 })
})

t.test('is per route', async t => {
  const errors: string[] = []
  const running = await start(t, { websocket: { catchListenerErrors: true, errorHandler (error) { errors.push(error.message) } } }, app => {
    const handler: WebsocketHandler = (socket, { url }) => {
      const { emit } = socket
      socket.on('message', () => { throw new Error(url) })
      try {
        emit.call(socket, 'message', Buffer.from('x'), false)
      } catch {
        errors.push(`not caught ${url}`)
      }
    }
    app.get('/caught', { websocket: true }, handler)
    for (const none of [false, null]) app.get(`/${none}`, { websocket: { catchListenerErrors: none } }, handler)
  })
  for (const path of ['/caught', '/false', '/null']) await running.connect(path)
  t.same(errors, ['/caught', 'not caught /false', 'not caught /null'])
})

t.test('keeps the order of listeners, and `this`', async t => {
  const seen = deferred<unknown[]>()
  const order: unknown[] = []
  const { running, errors } = await serve(t, socket => {
    socket.on('message', function (this: unknown) { order.push('on', this === socket); throw new Error('on') })
    socket.once('message', function (this: unknown) { order.push('once', this === socket); throw new Error('once') })
    socket.addEventListener('message', function (this: unknown, event) { order.push('event', this === socket, event.target === socket); throw new Error('event') })
    socket.onmessage = function (this: unknown) { order.push('property', this === socket) }
    socket.prependListener('message', function (this: unknown) { order.push('prepended', this === socket); throw new Error('prepended') })
    socket.on('message', () => { seen.resolve(order) })
  })
  const { socket } = await running.connect()
  socket.send('x')
  t.same(await within(seen.promise, 'the last listener'), ['prepended', true, 'on', true, 'once', true, 'event', true, true, 'property', true])
  t.same(errors, ['prepended', 'on', 'once', 'event'])
})

t.test('removes listeners by what was added, and tells them', async t => {
  const done = deferred()
  const { running, errors } = await serve(t, socket => {
    const fail = (): never => { throw new Error('still there') }
    const object = { handleEvent: fail }
    const count = (): number => socket.listenerCount('message')

    socket.on('message', fail)
    t.same(socket.listeners('message'), [fail])
    socket.removeListener('message', fail)
    socket.once('message', fail)
    socket.off('message', fail)
    t.equal(count(), 0)

    for (const handler of [fail, object]) {
      for (let i = 0; i < 2; i++) Reflect.apply(socket.addEventListener, socket, ['message', handler])
      t.equal(count(), 1, 'the same is added once')
      Reflect.apply(socket.removeEventListener, socket, ['message', handler])
      t.equal(count(), 0)
    }

    t.equal(socket.onmessage, null)
    socket.onmessage = fail
    t.equal(socket.onmessage, fail)
    socket.addEventListener('message', fail)
    t.equal(count(), 2, 'a property is a listener of its own')
    socket.removeEventListener('message', fail)
    socket.onmessage = null
    t.equal(count(), 0)
    Reflect.apply(socket.addEventListener, socket, ['nothing', null])
    Reflect.apply(socket.removeEventListener, socket, ['message', 5])

    for (const name of ['onopen', 'onerror', 'onclose'] as const) {
      socket[name] = fail
      t.equal(socket[name], fail)
      socket[name] = null
      t.equal(socket[name], null)
    }
    done.resolve()
  })
  const { socket } = await running.connect()
  await done.promise
  socket.send('x')
  await flushed(socket)
  t.same(errors, [])
})

t.test('sends what fails in the listeners of close, ping and error to the errorHandler too', async t => {
  const { running, errors } = await serve(t, socket => {
    socket.on('ping', () => { throw new Error('ping') })
    socket.on('close', async () => { throw new Error('close') })
    socket.on(errorMonitor, () => { throw new Error('monitor') })
    socket.on('error', () => { throw new Error('error') })
    socket.on('message', () => { socket.emit('error', new Error('emitted')) })
  })
  const { socket, inbox } = await running.connect()
  await flushed(socket)
  socket.send('x')
  await flushed(socket)
  socket.close()
  await inbox.closed
  await until(() => errors.includes('close'), 'the errors')
  t.same(errors, ['ping', 'monitor', 'emitted', 'error', 'ping', 'close'])
})

t.test('an error that nobody listens to goes to the errorHandler', async t => {
  const { running, errors } = await serve(t, socket => {
    socket.removeAllListeners('error')
    t.equal(socket.emit('error', new Error('unheard')), false)
    t.equal(socket.emit('nothing'), false)
    t.equal(socket.emit('close', 1000, Buffer.alloc(0)), true)
  })
  await running.connect()
  t.same(errors, ['unheard'])
})

t.test('catches in listeners that wait for early messages, one after the other', async t => {
  const { running, errors } = await serve(t, async socket => {
    await new Promise(setImmediate)
    const texts: string[] = []
    while (texts.length < 3) {
      const [data] = await once(socket, 'message')
      texts.push(String(data))
    }
    socket.once('message', data => { throw new Error(`once ${String(data)}`) })
    socket.on('message', async data => {
      if (String(data) === 'f') socket.send(texts.join())
      throw new Error(`on ${String(data)}`)
    })
  })
  const { socket, inbox } = await running.connect()
  for (const text of 'abcdef') socket.send(text)
  t.equal(String(await inbox.next()), 'a,b,c')
  await until(() => errors.length === 4, 'the errors')
  t.same(errors, ['once d', 'on d', 'on e', 'on f'])
})

t.test('catches what a handler that is still pending left to its listeners', async t => {
  const never = deferred()
  const { running, errors } = await serve(t, async socket => {
    socket.on('message', data => { throw new Error(String(data)) })
    await never.promise
  })
  const { socket } = await running.connect()
  for (const text of ['a', 'b']) socket.send(text)
  await flushed(socket)
  t.same(errors, ['a', 'b'])
  never.resolve()
})

t.test('asks the emit of a class of the application, and catches what is thrown in there', async t => {
  const emitted: unknown[] = []
  class Telling extends WebSocket {
    override emit (event: string | symbol, ...args: unknown[]): boolean {
      emitted.push(event)
      return Reflect.apply(super.emit, this, [event, ...args])
    }
  }
  const { running, errors } = await serve(t, socket => {
    socket.on('message', data => { throw new Error(String(data)) })
    socket.on('ping', () => {})
  }, 'tcp', { options: { WebSocket: Telling } })
  const { socket } = await running.connect()
  socket.send('a')
  await flushed(socket)
  t.same(errors, ['a'])
  t.ok(emitted.includes('message') && emitted.includes('ping'))
})

t.test('catches, where messages are counted for logs and observers', async t => {
  const observe = (): void => {}
  subscribe('fastify-wss:close', observe)
  t.teardown(() => { unsubscribe('fastify-wss:close', observe) })
  const { running, errors } = await serve(t, socket => { socket.on('message', async data => { throw new Error(String(data)) }) }, 'tcp', { logClose: 'info' })
  const { socket, inbox } = await running.connect()
  socket.send('a')
  await flushed(socket)
  t.same(errors, ['a'])
  socket.close()
  await inbox.closed
  t.match(await running.logged('websocket connection closed'), { messagesReceived: 1 })
})

t.test('holds for a websocket that the application opened itself', async t => {
  const errors: string[] = []
  const running = await start(t, { websocket: { catchListenerErrors: true, errorHandler (error) { errors.push(error.message) } } }, app => {
    app.get('/', {
      websocket: {
        async upgrade ({ raw }, rawSocket, head) {
          const server: WebSocketServer = this.websocketServer
          return await new Promise<WebSocket>(resolve => {
            server.handleUpgrade(raw, rawSocket, head, socket => {
              socket.addEventListener('message', early)
              resolve(socket)
            })
          })
        }
      }
    }, socket => {
      socket.removeEventListener('message', early)
      socket.on('message', data => { throw new Error(String(data)) })
    })
  })
  function early (): never {
    throw new Error('removed')
  }
  const { socket } = await running.connect()
  socket.send('a')
  await flushed(socket)
  t.same(errors, ['a'])
})

t.test('refuses what is no boolean', async t => {
  for (const wrong of ['yes', 1, {}]) {
    const app = fastify()
    const options: object = { catchListenerErrors: wrong }
    await t.rejects(async () => await app.register(websocket, options), { code: 'FST_WS_INVALID_OPTION', message: /the option catchListenerErrors must be a boolean/ })
    await app.close()
  }
})
