import t, { type Test } from 'tap'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { createAborter } from '../src/signal'
import { start, type Client, type Running } from './helpers/app'
import { deferred } from './helpers/deferred'
import { checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { connectBy, flushed, transportOf, WAYS, type Way } from './helpers/ways'

checkLeaksAtEnd(t)

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

type Read = (app: FastifyInstance, found: (signal: AbortSignal) => void) => void

const readers: Record<string, Read> = {
  'in a hook': (app, found) => {
    app.get('/', { websocket: true, onRequest: async ({ signal }) => { found(signal) } }, () => {})
  },
  'in the handler': (app, found) => {
    app.get('/', { websocket: true }, (_socket, { signal }) => { found(signal) })
  },
  'in an async handler, later': (app, found) => {
    app.get('/', { websocket: true }, async (_socket, request) => {
      await new Promise(setImmediate)
      found(request.signal)
    })
  },
  'where the route has a time limit': (app, found) => {
    app.get('/', { websocket: true, handlerTimeout: 60_000 }, (_socket, { signal }) => { found(signal) })
  }
}

async function serve (t: Test, read: Read, way: Way = 'tcp'): Promise<{ running: Running, signal: () => Promise<AbortSignal> }> {
  const found = deferred<AbortSignal>()
  const running = await start(t, { over: transportOf(way), websocket: { shutdown: { timeout: 100 } } }, app => { read(app, found.resolve) })
  return { running, signal: () => within(found.promise, 'the signal') }
}

for (const way of WAYS) {
  for (const [name, read] of Object.entries(readers)) {
    t.test(`request.signal, read ${name}, aborts when the connection closes, and not before (${way})`, async t => {
      const { running, signal } = await serve(t, read, way)
      const { socket } = await connectBy(t, way, running)
      const found = await signal()
      await flushed(socket)
      t.notOk(found.aborted)

      socket.close()
      await until(() => found.aborted, 'the abort')
      t.match(found.reason, { name: 'AbortError' })
    })
  }
}

const ends: Record<string, (client: Client, running: Running) => void> = {
  'the client breaks off': ({ socket }) => { socket.terminate() },
  'the server closes': (_client, { app }) => { for (const socket of app.websocketServer.clients) socket.close(1001) },
  'the server breaks off': (_client, { app }) => { for (const socket of app.websocketServer.clients) socket.terminate() },
  'the application closes': (_client, { app }) => { app.close().catch(() => {}) }
}

for (const [name, end] of Object.entries(ends)) {
  t.test(`request.signal aborts when ${name}`, async t => {
    const { running, signal } = await serve(t, (app, found) => {
      app.get('/', { websocket: true }, (_socket, { signal }) => { found(signal) })
    })
    const client = await running.connect()
    const aborted = once(await signal(), 'abort')
    end(client, running)

    await within(aborted, 'the abort')
  })
}

t.test('request.signal is aborted where it is read after the end', async t => {
  const { running, signal } = await serve(t, (app, found) => {
    app.get('/', { websocket: true }, async (socket, request) => {
      await once(socket, 'close')
      found(request.signal)
    })
  })
  const { socket } = await running.connect()
  socket.close()

  t.ok((await signal()).aborted)
})

t.test('what stands behind it is stopped: a loop that sends', async t => {
  let sent = 0
  const stopped = deferred()
  const { running } = await serve(t, app => {
    app.get('/', { websocket: true }, async (socket, { signal }) => {
      while (!signal.aborted) {
        socket.send(String(++sent))
        await new Promise(setImmediate)
      }
      stopped.resolve()
    })
  })
  const { socket, inbox } = await running.connect()
  await inbox.next()
  socket.terminate()

  await within(stopped.promise, 'the end of the loop')
})

t.test('no onRequestAbort hook runs for it, and other listeners for the end of the raw request hear nothing', async t => {
  const heard: string[] = []
  const { running, signal } = await serve(t, (app, found) => {
    app.addHook('onRequestAbort', async _request => { heard.push('onRequestAbort') })
    app.get('/', { websocket: true }, (_socket, request) => {
      request.raw.on('close', () => { heard.push('raw close') })
      found(request.signal)
    })
  })
  const { socket } = await running.connect()
  const aborted = once(await signal(), 'abort')
  socket.close()
  await within(aborted, 'the abort')
  await running.close()

  t.same(heard, [])
})

t.test('does nothing where Fastify has no such signal', async t => {
  const { running } = await serve(t, app => {
    app.get('/', { websocket: true }, (socket: WebSocket, { raw }) => {
      createAborter()({ socket, request: { raw } as FastifyRequest })
      raw.on('close', () => {})
      socket.close()
    })
  })
  t.equal((await (await running.connect()).inbox.closed).code, 1005)
})

t.test('a connection keeps no request alive, read or not', async t => {
  for (const isRead of [true, false]) {
    let held: WeakRef<FastifyRequest> | undefined
    const aborts: string[] = []
    const { running } = await serve(t, app => {
      app.addHook('onRequestAbort', async _request => {})
      app.get('/', { websocket: true }, (socket, request) => {
        held = new WeakRef(request)
        if (isRead) request.signal.addEventListener('abort', () => { aborts.push('abort') })
        socket.send('ready')
      })
    })
    const { socket, inbox } = await running.connect()
    await inbox.next()
    await until(() => {
      collectGarbage()
      return held !== undefined && held.deref() === undefined
    }, 'the end of the request').catch(() => {})
    t.equal(held?.deref(), undefined)
    socket.close()
    await inbox.closed
    await running.close()

    t.same(aborts, isRead ? ['abort'] : [])
  }
})
