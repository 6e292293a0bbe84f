import t from 'tap'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { duplexPair, PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { countReaders, readAhead, stopFlow } from '../../src/ways/waiting'
import { start, TRANSPORTS } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { frame, upgradeHead } from '../helpers/raw-client'
import { echo, refuseWith } from '../helpers/routes'
import { upgraded } from '../helpers/upgraded'

checkLeaksAtEnd(t)

const WHOLE = Buffer.alloc(5 * 1024 * 1024, 'whole ')

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

t.test('cuts a client that does not read its answer within the handshake limit', async t => {
  for (const over of ['tcp', 'h2c'] as const) {
    const running = await start(t, { over, websocket: { handshakeTimeout: 50 } }, refuseWith(() => WHOLE))
    const client = await running.raw()
    client.pause().upgrade('/')
    await running.logged('incoming request')

    await assertServerHoldsNothing(t, running.server)
  }
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
