import t, { type Test } from 'tap'
import { once } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { watchForOthers } from '../../src/ways/raw-socket'
import { type Running, start } from '../helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, within } from '../helpers/limit'
import { frame, type RawClient, requestHead, upgradeHead } from '../helpers/raw-client'
import { echo } from '../helpers/routes'
import { upgraded } from '../helpers/upgraded'

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

t.test('takes a socket for untouched while nobody has read from it, written to it or ended it', async t => {
  const { rawRequest, rawSocket } = await upgraded(t)
  rawSocket.on('error', () => {})
  rawSocket.setNoDelay(true)

  t.equal(watchForOthers(rawRequest, rawSocket)(), false)
})

const takings: Record<string, (rawSocket: Socket, rawRequest: IncomingMessage) => void> = {
  'reads what arrives': rawSocket => { rawSocket.on('data', () => {}) },
  'reads when something has arrived': rawSocket => { rawSocket.on('readable', () => {}) },
  'has ended it': rawSocket => { rawSocket.end() },
  'has cut it': rawSocket => { rawSocket.destroy() },
  'has written to it': rawSocket => { rawSocket.write('101') },
  'has given it to a response': (rawSocket, rawRequest) => { new ServerResponse(rawRequest).assignSocket(rawSocket) }
}
for (const [name, take] of Object.entries(takings)) {
  t.test(`takes a socket for taken where another listener ${name}`, async t => {
    const { rawRequest, rawSocket } = await upgraded(t)
    const isTaken = watchForOthers(rawRequest, rawSocket)
    take(rawSocket, rawRequest)

    t.equal(isTaken(), true)
  })
}

t.test('does not take an earlier response on the connection for an answer', async t => {
  const { rawRequest, rawSocket } = await upgraded(t)
  const earlier = new ServerResponse(new IncomingMessage(rawSocket))
  earlier.assignSocket(rawSocket)
  const isTaken = watchForOthers(rawRequest, rawSocket)
  earlier.end('earlier')

  t.equal(isTaken(), false)
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

async function assertEchoes (t: Test, client: RawClient, running: Running): Promise<void> {
  client.write(frame('text', 'hello'))
  t.equal(String((await client.readFrame()).payload), 'hello')
  client.destroy()
  await assertServerHoldsNothing(t, running.server)
}
