import t, { type Test } from 'tap'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { type Running, start, TRANSPORTS } from './helpers/app'
import { deferred } from './helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from './helpers/leaks'
import { LIMIT, until, within } from './helpers/limit'
import { frame, type RawClient, requestHead, upgradeHead } from './helpers/raw-client'
import { echo } from './helpers/routes'

checkLeaksAtEnd(t)

const WHOLE = Buffer.alloc(5 * 1024 * 1024, 'whole ')

t.test('reads on where the earlier requests and the upgrade came in one packet', async t => {
  const running = await start(t, { over: 'tls' }, app => {
    app.get('/large', async () => WHOLE)
    echo(app, '/echo')
  })
  const client = await running.raw()
  client.request('GET', '/large').request('GET', '/large').upgrade('/echo')

  await client.readResponse({ limit: 2 * LIMIT })
  await client.readResponse({ limit: 2 * LIMIT })
  t.equal((await client.readResponse()).status, 101)
  await assertEchoes(t, client, running)
})

t.test('forgets an upgrade whose connection an earlier response has ended', async t => {
  let calls = 0
  const running = await start(t, app => {
    app.addHook('onRequest', async request => { if (request.ws) calls++ })
    app.get('/last', async (request, reply) => await reply.header('connection', 'close').send('last'))
    echo(app)
  })
  const client = await running.raw()
  client.request('GET', '/last').upgrade('/')

  t.equal((await client.readResponse()).body, 'last')
  t.equal((await client.readUntilClose()).length, 0)
  await assertServerHoldsNothing(t, running.server)
  t.equal(calls, 0)
})

for (const [protocol, headers] of [['websocket', {}], ['h2c', { Upgrade: 'h2c' }]] as const) {
  t.test(`streams an earlier response whole while an upgrade to ${protocol} waits for it`, async t => {
    const running = await start(t, app => {
      app.get('/stream', async () => Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(64 * 1024))))
    })
    const client = await running.raw()
    client.request('GET', '/stream').upgrade('/', headers)

    t.equal((await client.readResponse()).bytes.length, 100 * 64 * 1024)
  })

  for (const leave of ['fin', 'reset'] as const) {
    t.test(`lets go of a client that leaves by ${leave} while an upgrade to ${protocol} waits for an earlier response`, async t => {
      const running = await start(t, app => {
        app.get('/slow', async request => { await once(request.signal, 'abort') })
      })
      const client = await running.raw()
      client.write(requestHead('GET', '/slow') + upgradeHead('/', headers))
      await running.logged('incoming request')
      client[leave]()

      await assertServerHoldsNothing(t, running.server)
    })
  }
}

t.test('survives a reset of an open connection, of a pending upgrade and of a refused one', async t => {
  const running = await start(t, app => {
    app.addHook('onRequest', async (request, reply) => {
      app.server.emit('in hook')
      if (request.url === '/pending') await once(request.signal, 'abort')
      if (request.url === '/refused') await reply.code(401).send(new PassThrough())
    })
    app.get('/*', { websocket: true }, socket => { socket.on('error', () => {}) })
  })
  for (const path of ['/open', '/pending', '/refused']) {
    const client = await running.raw()
    const inHook = once(running.server, 'in hook')
    client.upgrade(path)
    await within(inHook, 'the hook')
    client.reset()
    await assertServerHoldsNothing(t, running.server)
  }
})

for (const over of TRANSPORTS) {
  for (const leave of ['fin', 'reset', 'destroy'] as const) {
    t.test(`sees a client that sent a frame ahead leave by ${leave} while a hook runs, over ${over}`, async t => {
      let calls = 0
      const running = await start(t, { over }, app => {
        app.addHook('onRequest', async request => {
          app.server.emit('in hook', request.raw.socket)
          await once(request.signal, 'abort')
          app.server.emit('aborted')
        })
        app.get('/', { websocket: true }, () => { calls++ })
      })
      const client = await running.raw()
      const inHook = once(running.server, 'in hook')
      const aborted = once(running.server, 'aborted')
      client.upgrade('/')
      const [rawSocket] = await within(inHook, 'the hook')
      const { bytesRead } = rawSocket
      client.write(frame('text', 'ahead'))
      await until(() => rawSocket.bytesRead > bytesRead, 'the frame')
      client[leave]()

      await t.resolves(within(aborted, 'the abort'))
      await assertServerHoldsNothing(t, running.server)
      t.equal(calls, 0)
    })
  }

  t.test(`delivers frames sent before, during and after slow hooks and a slow verifyClient in order, over ${over}`, async t => {
    const hook = deferred()
    const asked = deferred()
    const verdict = deferred<boolean>()
    const verifyClient = (): Promise<boolean> => {
      asked.resolve()
      return verdict.promise
    }
    const running = await start(t, { over, websocket: { options: { verifyClient } } }, app => {
      app.addHook('onRequest', async request => {
        app.server.emit('in hook', request.raw.socket)
        await hook.promise
      })
      echo(app)
    })
    const client = await running.raw()
    const inHook = once(running.server, 'in hook')
    client.upgrade('/').write(frame('text', '1'))
    const [rawSocket] = await within(inHook, 'the hook')
    await sendAndSee('2')
    hook.resolve()
    await within(asked.promise, 'verifyClient')
    await sendAndSee('3')
    verdict.resolve(true)
    t.equal((await client.readResponse()).status, 101)
    client.write(frame('text', '4'))

    for (const expected of ['1', '2', '3', '4']) t.equal(String((await client.readFrame()).payload), expected)
    client.fin()

    async function sendAndSee (payload: string): Promise<void> {
      const { bytesRead } = rawSocket
      client.write(frame('text', payload))
      await until(() => rawSocket.bytesRead > bytesRead, `the frame ${payload}`)
    }
  })
}

t.test('holds a client back that sends much ahead, and then delivers all of it', async t => {
  const hook = deferred()
  const running = await start(t, app => {
    app.addHook('onRequest', async request => {
      app.server.emit('in hook', request.raw.socket)
      await hook.promise
    })
    app.get('/', { websocket: true }, socket => {
      let size = 0
      socket.on('message', data => {
        size += (data as Buffer).length
        if (size === 4 * WHOLE.length) socket.send(String(size))
      })
    })
  })
  const client = await running.raw()
  const inHook = once(running.server, 'in hook')
  client.upgrade('/')
  const [rawSocket] = await within(inHook, 'the hook')
  for (let i = 0; i < 4; i++) client.write(frame('binary', WHOLE))
  await until(() => rawSocket.isPaused(), 'the pause')
  t.ok(rawSocket.bytesRead < 2 * 1024 * 1024, 'far less was read than was sent')
  hook.resolve()

  t.equal((await client.readResponse()).status, 101)
  t.equal(String((await client.readFrame()).payload), String(4 * WHOLE.length))
  client.fin()
})

async function assertEchoes (t: Test, client: RawClient, running: Running): Promise<void> {
  client.write(frame('text', 'hello'))
  t.equal(String((await client.readFrame()).payload), 'hello')
  client.destroy()
  await assertServerHoldsNothing(t, running.server)
}
