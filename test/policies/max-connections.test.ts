import t from 'tap'
import fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import { once } from 'node:events'
import { mkdtemp } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import websocket from '../../src'
import { create, start, type Client } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { upgradeHead } from '../helpers/raw-client'
import { assertRefusal } from '../helpers/refusal'
import { echo } from '../helpers/routes'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

const keyOf = ({ headers }: FastifyRequest): unknown => headers['x-user']

const limits: Array<[name: string, maxConnections: object, status: number, isBeforeHooks: boolean]> = [
  ['in all', { total: 2 }, 503, true],
  ['from one address', { perIp: 2 }, 503, true],
  ['to one route', { perRoute: 2 }, 503, false],
  ['of one key', { key: () => 'same', perKey: 2 }, 429, false],
  ['of one key that takes its time', { key: async () => { await new Promise(setImmediate); return 7 }, perKey: 2 }, 429, false]
]

for (const way of WAYS) {
  for (const [name, maxConnections, status, isBeforeHooks] of limits) {
    t.test(`lets so many connections be open ${name}, over ${way}`, async t => {
      let asked = 0
      const running = await start(t, { over: transportOf(way), websocket: { maxConnections } }, app => {
        app.addHook('onRequest', async () => { asked++ })
        echo(app)
      })
      const first = await connectBy(t, way, running)
      await connectBy(t, way, running)
      for (let i = 0; i < 2; i++) await t.rejects(connectBy(t, way, running), { message: `Unexpected server response: ${status}` })
      t.equal(asked, isBeforeHooks ? 2 : 4)

      first.socket.close()
      await first.inbox.closed
      const next = await opened(async () => await connectBy(t, way, running))
      next.socket.send('hello')
      t.equal(String(await next.inbox.next()), 'hello')
      await t.rejects(connectBy(t, way, running), { message: `Unexpected server response: ${status}` })
    })
  }
}

/** The server sees a connection closed a little after its client has. */
async function opened (connect: () => Promise<Client>): Promise<Client> {
  return await until(async () => await connect().catch(() => undefined), 'a free place') as Client
}

t.test('says when to try again, through the error path of Fastify where there is one', async t => {
  const codes: Record<string, [object, string, number]> = {
    total: [{ total: 1 }, 'FST_WS_TOO_MANY_CONNECTIONS', 503],
    perIp: [{ perIp: 1 }, 'FST_WS_TOO_MANY_CONNECTIONS', 503],
    perRoute: [{ perRoute: 1 }, 'FST_WS_TOO_MANY_CONNECTIONS', 503],
    perKey: [{ key: () => 1, perKey: 1 }, 'FST_WS_TOO_MANY_OF_KEY', 429]
  }
  for (const [name, [maxConnections, code, status]] of Object.entries(codes)) {
    const seen: string[] = []
    const running = await start(t, { websocket: { maxConnections } }, app => {
      app.addHook('onError', async (_request, _reply, error) => { seen.push(error.code) })
      echo(app)
    })
    const { socket } = await running.connect()
    const client = await running.raw()
    t.match(await client.upgrade('/').readResponse(), { status, headers: { 'retry-after': '10', connection: 'close' }, body: new RegExp(`"${code}"`) }, name)
    client.fin()
    socket.terminate()
    await assertServerHoldsNothing(t, running.server)
    t.same(seen, name === 'total' ? [] : [code])
  }
})

t.test('frees what a refused client held when its response is out, though it stays', async t => {
  const running = await start(t, { websocket: { maxConnections: { total: 1, perIp: 1 } } }, app => {
    app.get('/no', { websocket: true, preHandler: async (_request, reply) => { await reply.code(403).send('no') } }, () => {})
    echo(app)
  })
  for (let i = 0; i < 3; i++) t.equal((await (await running.raw()).upgrade('/no').readResponse()).status, 403)
  await running.connect()
})

t.test('counts by the address that a trusted proxy tells', async t => {
  const running = await start(t, { fastify: { trustProxy: true }, websocket: { maxConnections: { perIp: 1 } } }, echo)
  const from = async (address: string): Promise<Client> => await running.connect('/', { headers: { 'X-Forwarded-For': address } })
  await from('192.0.2.1')
  await from('192.0.2.2')
  await from('2001:db8::1')
  for (const address of ['192.0.2.1', '2001:db8::1']) await t.rejects(from(address), { message: 'Unexpected server response: 503' })
})

t.test('counts no addresses where there are none', async t => {
  const path = join(await mkdtemp(join(tmpdir(), 'places-')), 'socket')
  const { app } = create(t)
  await app.register(websocket, { maxConnections: { perIp: 1 } })
  echo(app)
  await app.listen({ path })
  for (let i = 0; i < 3; i++) {
    const client = new WebSocket(`ws+unix:${path}:/`)
    t.teardown(() => { client.terminate() })
    await within(once(client, 'open'), 'open')
  }
})

t.test('a plain request takes no place', async t => {
  const running = await start(t, { websocket: { maxConnections: { total: 1, perIp: 1, perRoute: 1 } } }, app => {
    app.route({ method: 'GET', url: '/', handler: async () => 'plain', wsHandler: () => {} })
  })
  await running.connect()
  for (let i = 0; i < 3; i++) t.equal((await running.app.inject('/')).body, 'plain')
})

t.test('a route wins, limit by limit, and what it shares it shares by the function', async t => {
  const running = await start(t, { websocket: { maxConnections: { perRoute: 1, key: keyOf, perKey: 2, total: 20 } } }, app => {
    app.get('/a', { websocket: { maxConnections: { perRoute: 10 } } }, () => {})
    app.get('/b', { websocket: { maxConnections: { perRoute: null } } }, () => {})
    app.get('/c', { websocket: { maxConnections: { perRoute: null, key: request => keyOf(request), perKey: 1 } } }, () => {})
    app.get('/none', { websocket: { maxConnections: false } }, () => {})
    echo(app)
  })
  const by = async (path: string, user?: string): Promise<number> => {
    const client = await running.raw()
    return (await client.upgrade(path, user === undefined ? {} : { 'X-User': user }).readResponse()).status
  }
  t.same([await by('/'), await by('/')], [101, 503])
  t.same([await by('/a', 'one'), await by('/b', 'one'), await by('/a', 'one'), await by('/b', 'one'), await by('/b', 'two')], [101, 101, 429, 429, 101])
  t.same([await by('/c', 'one'), await by('/c', 'one')], [101, 429])
  t.same([await by('/a'), await by('/a'), await by('/a')], [101, 101, 101], 'who has no key is not counted')
  t.same([await by('/none', 'one'), await by('/none', 'one'), await by('/none', 'one')], [101, 101, 101])
})

t.test('refuses by what a key throws', async t => {
  const running = await start(t, { websocket: { maxConnections: { total: 1, key: async () => { throw Object.assign(new Error('who?'), { statusCode: 401 }) }, perKey: 1 } } }, echo)
  await assertRefusal(t, running, { status: 401, body: /who\?/, clients: 1, close: false })
  await assertRefusal(t, running, { status: 401, body: /who\?/, clients: 1 })
})

t.test('gives a client that has left while its key was looked up no place', async t => {
  const key = deferred<string>()
  const asked = deferred()
  const running = await start(t, {
    websocket: {
      maxConnections: {
        key: async request => {
          if (request.url === '/') return 'same'
          asked.resolve()
          return await key.promise
        },
        perKey: 1
      }
    }
  }, app => {
    echo(app)
    app.get('/slow', { websocket: true }, () => {})
  })
  const client = (await running.raw()).upgrade('/slow')
  await within(asked.promise, 'the key')
  client.reset()
  await assertServerHoldsNothing(t, running.server)
  key.resolve('same')
  await new Promise(setImmediate)
  await running.connect()
})

t.test('serves others while one address opens 5,000 connections, and holds none of them', async t => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', onWarning)
  t.teardown(() => { process.off('warning', onWarning) })
  let asked = 0
  const running = await start(t, { logLevel: 'silent', fastify: { trustProxy: true }, websocket: { maxConnections: { total: 1000, perIp: 100, perRoute: 500, key: () => 'same', perKey: 400 }, maxPending: 500 } }, app => {
    app.addHook('onRequest', async () => { asked++ })
    echo(app)
    app.get('/plain', async () => 'plain')
  })
  const head = upgradeHead('/', { 'X-Forwarded-For': '192.0.2.1' })
  const statuses = new Map<number, number>()
  const held: Array<ReturnType<typeof connect>> = []
  const attack = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) {
      const rawSocket = connect(running.port, '127.0.0.1')
      rawSocket.on('error', () => {})
      rawSocket.write(head)
      const [bytes] = await once(rawSocket, 'data')
      const status = Number(String(bytes).slice(9, 12))
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status === 101) held.push(rawSocket)
      else rawSocket.destroy()
    }
  }
  const attacks = Promise.all(Array.from({ length: 100 }, attack))
  const client = await running.connect('/')
  client.socket.send('hello')
  t.equal(String(await client.inbox.next()), 'hello')
  t.equal((await running.app.inject('/plain')).body, 'plain')
  await within(attacks, '5,000 connections', 6 * LIMIT)

  t.same(Object.fromEntries(statuses), { 101: 100, 503: 4900 })
  t.equal(asked, 102)
  for (const rawSocket of held) rawSocket.destroy()
  client.socket.terminate()
  await assertServerHoldsNothing(t, running.server)
  await running.connect('/', { headers: { 'X-Forwarded-For': '192.0.2.1' } })
  t.same(warnings, [])
})

t.test('names what is wrong at the registration or the declaration', async t => {
  const wrongAnywhere: Array<[object | string | boolean, RegExp]> = [
    [true, /maxConnections must be an object/],
    ['many', /maxConnections must be an object/],
    [[], /maxConnections must be an object/],
    [{ perRoute: 0 }, /maxConnections\.perRoute must be a whole number above 0/],
    [{ perKey: '1', key: keyOf }, /maxConnections\.perKey must be a whole number/],
    [{ perKey: 1 }, /maxConnections\.perKey needs key/],
    [{ key: keyOf }, /maxConnections\.key needs perKey/],
    [{ key: 'user', perKey: 1 }, /maxConnections\.key must be a function/],
    [{ perUser: 1 }, /maxConnections\.perUser is not known/]
  ]
  const wrongPluginWide: typeof wrongAnywhere = [[{ total: 1.5 }, /maxConnections\.total must be/], [{ perIp: -1 }, /maxConnections\.perIp must be/]]
  for (const [maxConnections, message] of [...wrongAnywhere, ...wrongPluginWide]) {
    const app = fastify()
    const options: object = { maxConnections }
    await t.rejects(async () => await app.register(websocket, options), { code: 'FST_WS_INVALID_OPTION', message })
    await app.close()
  }
  const wrongOnRoute: typeof wrongAnywhere = [[{ total: 1 }, /websocket\.maxConnections\.total is not known; there are perRoute, key, perKey/], [{ perIp: 1 }, /websocket\.maxConnections\.perIp is not known/]]
  const running = await start(t, { websocket: { maxConnections: {} } }, app => {
    for (const [maxConnections, message] of [...wrongAnywhere, ...wrongOnRoute]) {
      const options: object = { maxConnections }
      t.throws(() => app.get('/route', { websocket: options }, () => {}), { code: 'FST_WS_INVALID_OPTION', message })
    }
    echo(app)
  })
  await running.connect()
})
