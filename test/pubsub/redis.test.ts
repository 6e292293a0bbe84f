import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import t, { type Test } from 'tap'
import { conformance } from '../../src/pubsub/conformance'
import { redis } from '../../src/pubsub/redis'
import type { RedisClient } from '../../types/pubsub-redis'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { connectPair, startPubSub } from '../helpers/pubsub'
import { skip, sparePort, startRedis, type RedisServer } from '../helpers/redis'

checkLeaksAtEnd(t)
t.setTimeout(120_000)

const CLIENTS: Record<string, (port: number) => { client: RedisClient, end: () => void }> = {
  'ioredis 6' (port) { return io(new Redis(port, '127.0.0.1', { lazyConnect: true })) },
  'ioredis 5' (port) { return io(new Redis5(port, '127.0.0.1', { lazyConnect: true })) },
  iovalkey (port) { return io(new Valkey(port, '127.0.0.1', { lazyConnect: true })) },
  'node-redis 6' (port) { return { client: createClient({ url: `redis://127.0.0.1:${port}` }), end () {} } }
}

function io (client: RedisClient & { disconnect: () => void }): { client: RedisClient, end: () => void } {
  return { client, end: () => { client.disconnect() } }
}

for (const [title, connect] of Object.entries(CLIENTS)) {
  t.test(`Redis, by ${title}`, { skip }, async t => {
    const server = await startRedis(t)
    const { client, end } = connect(server.port)
    t.teardown(end)
    for (const history of [false, true]) {
      await t.test(`${history ? 'with' : 'without'} a history`, async t => {
        await conform(t, server, () => redis({ client, history }))
      })
    }
  })
}

for (const [title, connect] of Object.entries(CLIENTS)) {
  t.test(`a Redis that is stopped has its time to answer, then it is down until it goes on, by ${title}`, { skip }, async t => {
    const server = await startRedis(t)
    const { client, end } = connect(server.port)
    t.teardown(end)
    const gaps: unknown[] = []
    const running = await startPubSub(t, { pubsub: { engine: redis({ client }), timeout: 300, onGap: topics => { gaps.push(topics) } } })
    const { pubsub } = running.app
    const { served, inbox } = await connectPair(t, running)
    await served.subscribe('a')
    server.stop()
    t.teardown(() => { server.continue() })
    const published = ['1', '2'].map(async text => { await pubsub.publish('a', text) })
    for (const publishing of published) await t.rejects(publishing, { code: 'FST_WS_PUBSUB_UNAVAILABLE' })
    await until(() => !pubsub.stats.isUp, 'the loss')
    await t.rejects(pubsub.publish('a', '3'), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /it is down/ })
    t.same([String(await inbox.next()), String(await inbox.next()), String(await inbox.next())], ['1', '2', '3'], 'local delivery goes on')
    server.continue()
    await until(() => pubsub.stats.isUp, 'Redis')
    t.same(gaps, [true])
    await pubsub.publish('a', '4')
    t.equal(String(await inbox.next()), '4')
  })
}

async function conform (t: Test, server: RedisServer, create: () => ReturnType<typeof redis>): Promise<void> {
  const tests = conformance({ create, interrupt: async () => { await server.kill() }, resume: async () => { await server.start() } })
  for (const { name, run } of tests) await t.test(name, run)
}

t.test('refuses what is no client, and options that make no sense', async t => {
  const client = new Redis({ lazyConnect: true })
  for (const [options, message] of [
    [{ client: 'redis://localhost' }, /redis\.client must be a client of ioredis \(also its Cluster\), iovalkey or node-redis/],
    [{ client: undefined }, /redis\.client/],
    [{ client, prefix: 5 }, /redis\.prefix must be a string/],
    [{ client, lazy: 'yes' }, /redis\.lazy must be a boolean/],
    [{ client, history: { maxLength: -1 } }, /redis\.history\.maxLength/],
    [{ client, url: 'x' }, /redis\.url is not known/]
  ] as const) t.throws(() => redis(options as never), { code: 'FST_WS_INVALID_OPTION', message })
})

t.test('a Redis that is absent, that asks for a password, or that does not answer, is told at the start', { skip }, async t => {
  const absent = new Redis(await sparePort(), '127.0.0.1', { lazyConnect: true })
  await t.rejects(startPubSub(t, { pubsub: { engine: redis({ client: absent }), timeout: 2000 } }), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /ECONNREFUSED/ })

  const locked = await startRedis(t, '--requirepass', 'secret')
  const client = new Redis(locked.port, '127.0.0.1', { lazyConnect: true })
  await t.rejects(startPubSub(t, { pubsub: { engine: redis({ client }), timeout: 2000 } }), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /NOAUTH/ })
  const right = new Redis(locked.port, '127.0.0.1', { lazyConnect: true, password: 'secret' })
  t.equal((await startPubSub(t, { pubsub: { engine: redis({ client: right }) } })).app.pubsub.stats.isUp, true)

  const silent = await startRedis(t)
  silent.stop()
  const stuck = new Redis(silent.port, '127.0.0.1', { lazyConnect: true })
  await t.rejects(startPubSub(t, { pubsub: { engine: redis({ client: stuck }), timeout: 100 } }), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /no answer within 100 ms/ })
  silent.continue()
})

t.test('a lazy one may come later: until then local delivery goes on, and subscribe() waits its time', { skip }, async t => {
  const server = await startRedis(t)
  await server.kill()
  const client = new Redis(server.port, '127.0.0.1', { lazyConnect: true })
  const running = await startPubSub(t, { pubsub: { engine: redis({ client, lazy: true }), timeout: 100 } })
  const { pubsub } = running.app
  const heard: unknown[] = []
  pubsub.on('a', message => { heard.push(message) })
  await t.rejects(pubsub.publish('a', '1'), { code: 'FST_WS_PUBSUB_UNAVAILABLE' })
  const { served, inbox } = await connectPair(t, running)
  await t.rejects(served.subscribe('a'), { code: 'FST_WS_PUBSUB_TIMEOUT' })
  await server.start()
  await until(() => pubsub.stats.isUp, 'Redis')
  await served.subscribe('a')
  await pubsub.publish('a', '2')
  t.equal(String(await inbox.next()), '2')
  t.same(heard, ['1', '2'])
  t.equal(pubsub.stats.gaps, 0, 'nothing was there to be missed')
})

t.test('one that asks for a password only after a while is told, asked again, and good when it has it', { skip }, async t => {
  const server = await startRedis(t)
  const client = new Redis(server.port, '127.0.0.1', { lazyConnect: true })
  const admin = new Redis(server.port, '127.0.0.1')
  t.teardown(() => { admin.disconnect() })
  const running = await startPubSub(t, { pubsub: { engine: redis({ client }) } })
  await admin.config('SET', 'requirepass', 'secret')
  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await running.logged('pubsub: the engine redis is down')
  await until(() => running.log.some(({ err }) => /NOAUTH/.test(String(err?.message))), 'the reason')
  await t.rejects(running.app.pubsub.publish('a', 'x'), { code: 'FST_WS_PUBSUB_UNAVAILABLE' })
  await admin.config('SET', 'requirepass', '')
  await until(() => running.app.pubsub.stats.isUp, 'Redis')
})

t.test('an answer of a connection that is gone is none', { skip }, async t => {
  const server = await startRedis(t)
  const client = new Redis(server.port, '127.0.0.1', { lazyConnect: true })
  const statuses: string[] = []
  const engine = redis({ client })
  await engine.start({ deliver () {}, status ({ state }) { statuses.push(state) }, timeout: 1000 })
  t.teardown(() => engine.close())
  await Promise.all(Array.from({ length: 2500 }, async (_, i) => { await engine.subscribe(`${i}`) }))
  for (let i = 0; i < 3; i++) {
    await server.kill()
    await until(() => statuses.at(-1) === 'down', 'the loss')
    await server.start()
    server.stop()
    const asked = engine.subscribe(`late ${i}`)
    await new Promise(resolve => { setTimeout(resolve, 100) })
    await server.kill()
    await server.start()
    await until(() => statuses.at(-1) === 'up', 'Redis')
    await asked
    server.stop()
    const broken = engine.subscribe(`broken ${i}`)
    await server.kill()
    await server.start()
    await broken
    await until(() => statuses.at(-1) === 'up', 'Redis')
  }
})

t.test('nothing is said any more once it is closed, whatever was being asked', { skip }, async t => {
  const server = await startRedis(t)
  const admin = new Redis(server.port, '127.0.0.1')
  t.teardown(() => { admin.disconnect() })
  const statuses: string[] = []
  const engine = redis({ client: new Redis(server.port, '127.0.0.1', { lazyConnect: true }) })
  await engine.start({ deliver () {}, status ({ state }) { statuses.push(state) }, timeout: 1000 })
  await engine.subscribe('a')
  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await admin.call('CLIENT', 'PAUSE', '1000', 'ALL')
  await until(() => statuses.at(-1) === 'down', 'the loss')
  await new Promise(resolve => { setTimeout(resolve, 300) })
  await engine.close()
  await new Promise(resolve => { setImmediate(resolve) })
  t.same(statuses, ['up', 'down'])
})

t.test('a user who may not subscribe is refused, and what is not ours is dropped', { skip }, async t => {
  const server = await startRedis(t)
  const admin = new Redis(server.port, '127.0.0.1')
  t.teardown(() => { admin.disconnect() })
  await admin.acl('SETUSER', 'app', 'on', '>secret', '+@all', '~*', 'resetchannels', '&fastify-wss:', '&fastify-wss:mine')
  const client = new Redis(server.port, '127.0.0.1', { lazyConnect: true, username: 'app', password: 'secret' })
  const running = await startPubSub(t, { pubsub: { engine: redis({ client }) } })
  const { served, inbox } = await connectPair(t, running)
  await t.rejects(served.subscribe('yours'), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /NOPERM/ })
  await served.subscribe('mine')
  for (const channel of ['fastify-wss:mine', 'fastify-wss:']) await admin.publish(channel, 'not ours')
  await running.app.pubsub.publish('mine', 'ours')
  t.equal(String(await inbox.next()), 'ours')
  await until(() => running.app.pubsub.stats.foreign === 2, 'both')
})

t.test('keeps so many messages, for so long', { skip }, async t => {
  const server = await startRedis(t)
  const client = new Redis(server.port, '127.0.0.1', { lazyConnect: true })
  const admin = new Redis(server.port, '127.0.0.1')
  t.teardown(() => { admin.disconnect() })
  const engine = redis({ client, prefix: 'p:', history: { maxLength: 3, maxAge: 200 } })
  const running = await startPubSub(t, { pubsub: { engine } })
  const { pubsub } = running.app
  const ids: string[] = []
  pubsub.on('a', (_message, { id }) => { ids.push(String(id)) })
  await until(async () => (await admin.pubsub('NUMSUB', 'p:a'))[1] === 1, 'the subscription')
  t.equal((await engine.history?.read('a', '0-0', 10))?.isComplete, true, 'nothing was there to be missed')
  for (let i = 1; i <= 5; i++) await pubsub.publish('a', `${i}`)
  await until(() => ids.length === 5, 'all messages')
  const { served, inbox } = await connectPair(t, running)
  t.same(await served.subscribe('a', { after: String(ids[0]) }), { replayed: 3, gap: true })
  t.same([String(await inbox.next()), String(await inbox.next()), String(await inbox.next())], ['3', '4', '5'])
  t.equal((await engine.history?.read('a', '0-0', 10))?.isComplete, false, 'some are gone')
  await until(async () => await admin.exists('p:a') === 0, 'the end of the stream')
  const other = await connectPair(t, running)
  t.same(await other.served.subscribe('a', { after: String(ids[4]) }), { replayed: 0, gap: true })
  await admin.publish('p:a', 'nospace')
  await admin.publish('p:a', 'x y')
  await until(() => pubsub.stats.foreign === 2, 'both')
})
