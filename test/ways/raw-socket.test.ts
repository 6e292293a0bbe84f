import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { duplexPair, PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { countReaders, readAhead, stopFlow, watchForOthers } from '../../src/ways/raw-socket'
import { type Running, start, TRANSPORTS } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { frame, type RawClient, requestHead, upgradeHead } from '../helpers/raw-client'
import { echo } from '../helpers/routes'

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

t.test('steps back from a socket that somebody else begins to read, in order and paused as it was', async t => {
  for (const [event, isPaused] of [['data', false], ['readable', false], ['data', true]] as const) {
    const { rawSocket, client } = await upgraded(t)
    let others = 0
    readAhead(rawSocket, () => false, () => { others++ })
    const { bytesRead } = rawSocket
    client.write('ahead')
    await until(() => rawSocket.bytesRead > bytesRead, 'what is sent ahead')
    if (isPaused) rawSocket.pause()
    const seen: Buffer[] = []
    rawSocket.on(event, (bytes?: Buffer) => {
      const chunk: Buffer | null = bytes ?? rawSocket.read()
      if (chunk !== null) seen.push(chunk)
    })
    t.equal(others, 1)
    t.equal(countReaders(rawSocket), 1, 'that of the other')
    t.equal(rawSocket.listenerCount('end'), 1, "Node's own")
    if (isPaused) {
      t.equal(rawSocket.isPaused(), true)
      rawSocket.resume()
    }
    client.write(' and after')

    await until(() => String(Buffer.concat(seen)) === 'ahead and after', `all of it by ${event}`)
    rawSocket.on('data', () => {})
    t.equal(others, 1, 'told once')
  }
})

t.test('stops a flow until somebody reads, by whichever way', async t => {
  const readers: Array<(rawSocket: Socket, onText: (text: string) => void) => void> = [
    (rawSocket, onText) => { rawSocket.on('data', bytes => { onText(String(bytes)) }) },
    (rawSocket, onText) => { rawSocket.on('readable', () => { onText(String(rawSocket.read())) }) },
    (rawSocket, onText) => { rawSocket.pipe(new PassThrough()).on('data', bytes => { onText(String(bytes)) }) },
    (rawSocket, onText) => { rawSocket.resume().on('data', bytes => { onText(String(bytes)) }) }
  ]
  for (const read of readers) {
    const { rawSocket, client } = await upgraded(t)
    rawSocket.resume()
    stopFlow(rawSocket)
    const { bytesRead } = rawSocket
    client.write('hello')
    await until(() => rawSocket.bytesRead > bytesRead, 'the bytes')
    await new Promise(setImmediate)
    const text = await within(new Promise<string>(resolve => { read(rawSocket, resolve) }), 'the text')
    t.equal(text, 'hello')
  }
})

t.test('does not end a socket that is in other hands with its client', async t => {
  const { rawSocket, client } = await upgraded(t)
  readAhead(rawSocket, () => true, () => {})
  const ended = once(rawSocket, 'end')
  client.end()
  await within(ended, 'the end')

  t.equal(rawSocket.destroyed, false)
})

t.test('cuts a client that stops reading from a connection that is no socket, and no other', async t => {
  const body = new PassThrough()
  const running = await start(t, { websocket: { handshakeTimeout: 20 } }, app => {
    app.addHook('onRequest', async (request, reply) => { await reply.code(403).send(request.url === '/slow' ? body : WHOLE) })
    echo(app, '/*')
  })
  const [near, far] = duplexPair()
  running.server.emit('connection', far)
  near.write(upgradeHead('/'))
  await within(once(far, 'close'), 'the end of one who reads nothing')

  const [reader, slow] = duplexPair()
  running.server.emit('connection', slow)
  reader.write(upgradeHead('/slow'))
  const answer = text(reader)
  await sleep(100)
  body.end('slow body')
  t.match(await within(answer, 'the answer'), /^HTTP\/1\.1 403 .*slow body/s)
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

// A real upgrade, as the listeners of a server get it.
async function upgraded (t: Test): Promise<{ rawRequest: IncomingMessage, rawSocket: Socket, client: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upgrade = once(server, 'upgrade')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => {})
  client.write(upgradeHead('/'))
  const [rawRequest, rawSocket] = await within(upgrade, 'the upgrade')
  t.teardown(() => {
    client.destroy()
    rawSocket.destroy()
    server.close()
  })
  return { rawRequest, rawSocket, client }
}
