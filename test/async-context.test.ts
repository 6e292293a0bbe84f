import t, { type Test } from 'tap'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import { start } from './helpers/app'
import { deferred } from './helpers/deferred'
import { checkLeaksAtEnd } from './helpers/leaks'
import { until } from './helpers/limit'
import { frame } from './helpers/raw-client'
import { connectBy, flushed, transportOf, WAYS } from './helpers/ways'

checkLeaksAtEnd(t)

const EVENTS = ['message', 'ping', 'pong', 'close'] as const

/** The store of each upgrade is its query string. */
const fill: Record<string, (app: FastifyInstance, storage: AsyncLocalStorage<unknown>) => void> = {
  'by run': (app, storage) => { app.addHook('onRequest', (request, _reply, done) => { storage.run(request.url, done) }) },
  'by enterWith': (app, storage) => { app.addHook('onRequest', async request => { storage.enterWith(request.url) }) },
  'by run, before a slow hook': (app, storage) => {
    app.addHook('onRequest', (request, _reply, done) => { storage.run(request.url, done) })
    app.addHook('preHandler', async () => { await new Promise(setImmediate) })
  }
}

for (const way of WAYS) {
  for (const [name, fillIn] of Object.entries(fill)) {
    t.test(`a store that a hook has filled ${name} is there in the listeners of the socket (${way})`, async t => {
      const storage = new AsyncLocalStorage()
      const seen: unknown[] = []
      const running = await start(t, { over: transportOf(way) }, app => {
        fillIn(app, storage)
        app.get('/', { websocket: true }, socket => {
          seen.push(['handler', storage.getStore()])
          for (const event of EVENTS) socket.once(event, () => { seen.push([event, storage.getStore()]) })
        })
      })
      const { socket } = await connectBy(t, way, running, '/?1')
      socket.send('hello')
      socket.pong()
      await flushed(socket)
      socket.close()
      await until(() => seen.length > EVENTS.length, 'all events')

      t.same(new Map(seen as Array<[string, unknown]>), new Map(['handler', ...EVENTS].map(event => [event, '/?1'])))
    })
  }
}

t.test('each connection has its own, and what a listener begins goes on in it', async t => {
  const storage = new AsyncLocalStorage()
  const running = await start(t, app => {
    fill['by run']?.(app, storage)
    app.get('/', { websocket: true }, socket => {
      socket.addEventListener('message', async () => {
        await new Promise(setImmediate)
        socket.send(String(storage.getStore()))
      })
    })
  })
  const clients = [await running.connect('/?1'), await running.connect('/?2')]
  for (const { socket } of [...clients, ...clients]) socket.send('who am I?')

  for (const [index, { inbox }] of clients.entries()) {
    t.equal(String(await inbox.next()), `/?${index + 1}`)
    t.equal(String(await inbox.next()), `/?${index + 1}`)
  }
})

t.test('a message that has waited for an async handler comes in it too', async t => {
  const storage = new AsyncLocalStorage()
  const released = deferred()
  const running = await start(t, app => {
    fill['by run']?.(app, storage)
    app.get('/', { websocket: true }, async socket => {
      await released.promise
      storage.exit(() => { socket.on('message', () => { socket.send(String(storage.getStore())) }) })
    })
  })
  const { socket, inbox } = await running.connect('/?1')
  socket.send('early')
  await flushed(socket)
  released.resolve()

  t.equal(String(await inbox.next()), '/?1')
})

t.test('an error of the socket finds the errorHandler in it', async t => {
  const storage = new AsyncLocalStorage()
  const seen: unknown[] = []
  const errorHandler = (_error: Error, socket: WebSocket): void => {
    seen.push(storage.getStore())
    socket.terminate()
  }
  const running = await start(t, { websocket: { errorHandler } }, app => {
    fill['by run']?.(app, storage)
    app.get('/', { websocket: true }, () => {})
  })
  const client = await running.raw()
  await client.upgrade('/?1').readResponse()
  client.write(frame('text', 'not masked', { mask: false }))
  await client.readUntilClose()

  t.same(seen, ['/?1'])
})

/** Whether sockets of these connections have an emit of their own. */
async function ownEmits (t: Test, declare: (app: FastifyInstance) => void, paths: string[]): Promise<boolean[]> {
  const seen: boolean[] = []
  const running = await start(t, app => {
    declare(app)
    app.get('/', { websocket: true }, socket => { seen.push(Object.hasOwn(socket, 'emit')) })
  })
  for (const path of paths) await running.connect(path)
  return seen
}

t.test('a connection without a store pays nothing for it', async t => {
  const storage = new AsyncLocalStorage()
  t.same(await ownEmits(t, () => {}, ['/', '/']), [false, false])
  t.same(await ownEmits(t, app => {
    app.addHook('onRequest', (request, _reply, done) => { request.url === '/' ? done() : storage.run(request.url, done) })
  }, ['/', '/?1', '/']), [false, true, false], 'also beside one with a store')
})

t.test('any value is a store', async t => {
  for (const value of [0, '', false, null, {}]) {
    const storage = new AsyncLocalStorage()
    const running = await start(t, app => {
      app.addHook('onRequest', (_request, _reply, done) => { storage.run(value, done) })
      app.get('/', { websocket: true }, socket => { socket.on('message', () => { socket.send(JSON.stringify(storage.getStore() ?? null)) }) })
    })
    const { socket, inbox } = await running.connect()
    socket.send('?')
    t.equal(String(await inbox.next()), JSON.stringify(value))
  }
})
