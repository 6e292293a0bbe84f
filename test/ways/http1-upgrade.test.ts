import t from 'tap'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import type { VerifyClientCallbackAsync } from 'ws'
import { upgradeOf, type PendingUpgrade } from '../../src/upgrade'
import { start } from '../helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { frame } from '../helpers/raw-client'
import { echo, refuseWith } from '../helpers/routes'

checkLeaksAtEnd(t)

const SIZE = 5 * 1024 * 1024
const WHOLE = Buffer.alloc(SIZE, 'whole ')

for (const [when, isSecond, verdict] of [['at once', false, true], ['later', false, Promise.resolve(true)], ['after an earlier response', true, true]] as const) {
  t.test(`leaves a connection that was accepted ${when} no listener and no response of the handshake`, async t => {
    const running = await start(t, { websocket: { options: { verifyClient: () => verdict } } }, app => {
      app.get('/plain', async () => 'plain')
      app.get('/', { websocket: true }, (socket, request) => {
        const { socket: rawSocket } = request.raw
        socket.on('message', () => {
          const names = ['data', 'end', 'close', 'error', 'drain', 'timeout'].flatMap(event => rawSocket.listeners(event).map(({ name }) => name))
          socket.send(JSON.stringify(names.filter(name => name !== '')))
        })
      })
    })
    const client = await running.raw()
    if (isSecond) client.request('GET', '/plain')
    client.upgrade('/').write(frame('text', 'who listens?'))
    if (isSecond) t.equal((await client.readResponse()).body, 'plain')
    await client.readResponse()
    const names: string[] = JSON.parse(String((await client.readFrame()).payload))

    t.same(names.filter(name => !name.startsWith('socketOn')).sort(), ['onReadableStreamEnd'])
  })
}

t.test('does not let a late answer touch a connection that is open', async t => {
  const running = await start(t, { websocket: { handshakeTimeout: 20 } }, app => {
    app.addHook('onRequest', async (request, reply) => {
      app.server.once('answer', () => {
        reply.raw.end('late')
        app.server.emit('limit', request.raw.socket.timeout)
      })
    })
    echo(app)
  })
  const { socket, inbox } = await running.connect()
  const limit = once(running.server, 'limit')
  running.server.emit('answer')
  t.same(await limit, [0])
  socket.send('hello')

  t.equal(String(await inbox.next()), 'hello')
})

t.test('sends all of an answer to a client that has closed its half meanwhile', async t => {
  const body = new PassThrough()
  const running = await start(t, refuseWith(() => body))
  const client = await running.raw()
  client.upgrade('/')
  body.write('first ')
  await until(() => client.leftover.includes('first'), 'the first part')
  client.fin()
  body.end(WHOLE)

  t.equal((await client.readResponse()).bytes.length, 6 + SIZE)
  await assertServerHoldsNothing(t, running.server)
})

t.test('cuts a client that does not read its answer within the handshake limit', async t => {
  const running = await start(t, { websocket: { handshakeTimeout: 50 } }, refuseWith(() => WHOLE))
  const client = await running.raw()
  client.pause().upgrade('/')
  await running.logged('incoming request')

  await assertServerHoldsNothing(t, running.server)
})

t.test('aborts the request of a client that closes its half before an answer', async t => {
  const running = await start(t, app => {
    app.addHook('onRequest', async request => {
      app.server.emit('in hook')
      await once(request.signal, 'abort')
      app.server.emit('aborted')
    })
    echo(app)
  })
  const client = await running.raw()
  const inHook = once(running.server, 'in hook')
  const aborted = once(running.server, 'aborted')
  client.upgrade('/')
  await within(inHook, 'the hook')
  client.fin()

  await t.resolves(within(aborted, 'the abort'))
  await assertServerHoldsNothing(t, running.server)
})

t.test('waits for a slow source, however long, while the client reads', async t => {
  const body = new PassThrough()
  const running = await start(t, { websocket: { handshakeTimeout: 20 } }, refuseWith(() => body))
  let timeouts = 0
  running.server.on('connection', socket => { socket.on('timeout', () => { timeouts++ }) })
  const client = await running.raw()
  client.upgrade('/')
  body.write('first ')
  await until(() => timeouts > 0, 'a time without a byte')
  body.end('second')

  t.equal((await client.readResponse()).body, 'first second')
})

t.test('ends the connection of a client that ws refuses and that never leaves', async t => {
  const running = await start(t, { websocket: { options: { verifyClient: () => false } } }, echo)
  const client = await running.raw()
  client.upgrade('/')

  t.match(await client.readResponse(), { status: 401, body: 'Unauthorized', headers: { connection: 'close' } })
  t.equal((await client.readUntilClose()).length, 0)
  await assertServerHoldsNothing(t, running.server)
})

for (const who of ['a hook', 'ws']) {
  t.test(`does not reset the connection of a client that sends frames ahead and reads the refusal of ${who} late`, async t => {
    const body = 'x'.repeat(1024 * 1024)
    const verifyClient: VerifyClientCallbackAsync = (info, done) => { done(false, 403, body) }
    const running = await start(t, { websocket: { options: who === 'ws' ? { verifyClient } : {} } }, who === 'ws' ? echo : refuseWith(() => body))
    const client = await running.raw()
    client.pause().upgrade('/').write(frame('binary', Buffer.alloc(256 * 1024)))
    await running.logged('incoming request')
    await assertServerHoldsNothing(t, running.server)
    client.resume()

    t.equal((await client.readResponse()).body, body)
    t.equal(await within(client.fin().closed, 'the close'), undefined)
  })
}

t.test('tells the request of a client that leaves before it reads a refusal by ws', async t => {
  const running = await start(t, {
    websocket: {
      options: {
        verifyClient: ({ req }) => {
          req.socket.write(WHOLE)
          return false
        }
      }
    }
  }, app => {
    app.addHook('onRequest', async request => { request.raw.once('close', () => { app.server.emit('request closed', request.raw.aborted) }) })
    echo(app)
  })
  const client = await running.raw()
  const closed = once(running.server, 'request closed')
  client.pause().upgrade('/')
  await running.logged('incoming request')
  client.reset()

  t.same(await within(closed, 'the end of the request'), [true])
  await assertServerHoldsNothing(t, running.server)
})

t.test('leaves the stream to a hook that begins to read it, and refuses it no more', async t => {
  const running = await start(t, { websocket: { shutdown: { timeout: 50 } } }, app => {
    app.addHook('onRequest', async (request, reply) => {
      reply.hijack()
      await new Promise(setImmediate)
      request.raw.socket.on('data', bytes => { request.raw.socket.write(bytes) })
      request.raw.socket.write('mine ')
    })
    echo(app)
  })
  const client = await running.raw()
  client.upgrade('/')
  t.equal(String(await client.readBytes(5)), 'mine ')
  client.write('tunnelled')
  t.equal(String(await client.readBytes(9)), 'tunnelled')
  const closed = running.app.close()

  t.equal((await client.readUntilClose()).length, 0)
  await t.resolves(within(closed, 'app.close()'))
})

t.test('drops what the application writes behind a refusal of the plugin', async t => {
  const running = await start(t, app => {
    app.addHook('onRequest', (request, reply) => {
      reply.hijack()
      request.raw.once('close', () => { app.server.emit('gone') })
      app.server.once('late', () => { reply.raw.end('late') })
    })
    echo(app)
  })
  const client = await running.raw()
  client.upgrade('/')
  await running.logged('incoming request')
  const closed = running.app.close()
  t.match(await client.readResponse(), { status: 503 })
  running.server.emit('late')

  t.equal((await client.readUntilClose()).length, 0)
  await t.resolves(within(closed, 'app.close()'))
})

t.test('hands the stream over with what was read ahead, and is taken then', async t => {
  let upgrade: PendingUpgrade | undefined
  const states: boolean[] = []
  const running = await start(t, app => {
    app.addHook('onRequest', async ({ raw }, reply) => {
      reply.hijack()
      await once(app.server, 'go')
      upgrade = upgradeOf(raw)
      upgrade?.handOver()
      states.push(upgrade?.isTaken() ?? true, upgrade?.isWritten() ?? true)
      upgrade?.take()
      states.push(upgrade?.isTaken() ?? false, upgrade?.isWritten() ?? true)
      upgrade?.stream.write('HTTP/1.1 101 Mine\r\n\r\n')
      states.push(upgrade?.isWritten() ?? false)
      upgrade?.refuse({ name: 'Error', code: 'LATE', message: 'too late' })
      upgrade?.stream.pipe(upgrade.stream)
    })
    echo(app)
  })
  const client = await running.raw()
  client.upgrade('/')
  await running.logged('incoming request')
  client.write('before')
  await new Promise(setImmediate)
  running.server.emit('go')
  t.equal((await client.readResponse()).status, 101)
  client.write(' and after')
  t.equal(String(await client.readBytes(16)), 'before and after')
  t.strictSame(states, [false, false, true, false, true])
})
