// The two connections to Redis, by each client that we know.
import type { Duplex } from 'node:stream'
import { Cluster, Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient, createCluster } from 'redis'
import t from 'tap'
import { isRedisClient, linkTo, prefixOf, type RedisClient } from '../../src/pubsub/redis-link'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { skip, startCluster, startRedis } from '../helpers/redis'

checkLeaksAtEnd(t)

const ioredis = (port: number, options = {}): RedisClient => new Redis(port, '127.0.0.1', { lazyConnect: true, ...options }) as never
const iovalkey = (port: number): RedisClient => new Valkey(port, '127.0.0.1', { lazyConnect: true }) as never
const nodeRedis = (port: number): RedisClient => createClient({ socket: { port, host: '127.0.0.1' } }) as never

t.test('knows a client by what it can do, and its prefix', async t => {
  for (const client of [ioredis(1), nodeRedis(1)]) t.ok(isRedisClient(client))
  for (const value of [undefined, null, 'redis://', {}, { duplicate () {} }, { callBuffer () {} }, createCluster({ rootNodes: [] })]) t.notOk(isRedisClient(value))
  t.equal(prefixOf(ioredis(1, { keyPrefix: 'app:' })), 'app:')
  t.equal(prefixOf(ioredis(1, { keyPrefix: Buffer.from('app:') })), 'app:')
  t.equal(prefixOf(ioredis(1)), '')
  t.equal(prefixOf({ callBuffer () {}, options: {} } as never), '')
  t.equal(prefixOf(nodeRedis(1)), '')
})

for (const [name, create] of Object.entries({ ioredis, 'node-redis': nodeRedis })) {
  t.test(`listens and talks, is told of a loss and comes back, by ${name}`, { skip }, async t => {
    const server = await startRedis(t)
    const seen: string[] = []
    let losses = 0
    const link = linkTo(create(server.port), 1000, {
      ready: () => { seen.push('ready') },
      lost: () => { losses++ },
      message: (channel, message) => { seen.push(`${channel} ${message.toString('latin1')}`) }
    })
    t.teardown(() => { link.close() })
    link.open()
    await until(() => seen.length === 1, 'the connections')
    await link.ping()
    await link.subscribe(['a', 'b'])
    t.equal(await link.command(['PUBLISH', 'a', Buffer.from([0, 255])]), 1)
    await until(() => seen.length === 2, 'the message')
    t.same(seen, ['ready', 'a \0\u00ff'])
    t.same(await link.command(['ECHO', 'x']), Buffer.from('x'))
    await link.unsubscribe('a')
    t.equal(await link.command(['PUBLISH', 'a', 'x']), 0)

    await server.kill()
    await until(() => losses > 0, 'the loss')
    await t.rejects(link.command(['PUBLISH', 'b', 'lost']), { message: /^(?!no answer)/ }, 'at once: nothing is kept to be sent later')
    await server.start()
    await until(() => seen.at(-1) === 'ready' && seen.length > 2, 'the connections')
    await link.subscribe(['b'])
    await link.command(['PUBLISH', 'b', 'y'])
    await until(() => seen.at(-1) === 'b y', 'the message')
  })
}

for (const [name, create] of Object.entries({ ioredis, iovalkey, 'node-redis': nodeRedis })) {
  t.test(`takes a Redis that is silent for lost, and what it listened to beside it for kept, by ${name}`, { skip }, async t => {
    const server = await startRedis(t)
    const seen: string[] = []
    const link = linkTo(create(server.port), 300, {
      ready: () => { seen.push('ready') },
      lost: () => { if (seen.at(-1) !== 'lost') seen.push('lost') },
      message: (channel, message) => { seen.push(`${channel} ${String(message)}`) }
    })
    t.teardown(() => { link.close() })
    link.open()
    await until(() => seen.length === 1, 'the connections')
    await link.subscribe(['a'])
    server.stop()
    t.teardown(() => { server.continue() })
    await t.rejects(link.command(['PUBLISH', 'b', 'x']))
    await until(() => seen.at(-1) === 'lost', 'the loss')
    server.continue()
    await until(() => seen.at(-1) === 'ready' && seen.length > 2, 'the connections')
    await link.ping()
    await link.command(['PUBLISH', 'a', 'y'])
    await until(() => seen.at(-1) === 'a y', 'the message')
  })
}

for (const [name, create] of Object.entries({ ioredis, iovalkey })) {
  t.test(`what is asked for in one tick goes out by one write, by ${name}`, { skip }, async t => {
    const server = await startRedis(t)
    const made: Array<{ stream: Duplex }> = []
    const client = create(server.port) as { duplicate: (options: object) => { stream: Duplex } }
    const { duplicate } = client
    client.duplicate = options => {
      const own = duplicate.call(client, options)
      made.push(own)
      return own
    }
    let isReady = false
    const link = linkTo(client as never, 1000, { ready: () => { isReady = true }, lost () {}, message () {} })
    t.teardown(() => { link.close() })
    await t.rejects(link.command(['ECHO', 'early']))
    link.open()
    await until(() => isReady, 'the connections')
    const { stream } = made[1] as { stream: Duplex }
    const sizes: number[] = []
    const { _writev } = stream
    stream._writev = function (chunks, done) {
      sizes.push(chunks.length)
      _writev?.call(this, chunks, done)
    }
    const echoes = await Promise.all(['a', 'b', 'c'].map(async text => await link.command(['ECHO', text])))
    t.same(echoes.map(String), ['a', 'b', 'c'])
    t.same(sizes, [3])
    t.equal(String(await link.command(['ECHO', 'd'])), 'd')
  })
}

t.test('makes a link to each master of a cluster', { skip }, async t => {
  const [first, second] = await startCluster(t)
  let isReady = false
  let isLost = false
  const client = new Cluster([{ host: '127.0.0.1', port: first.port }], { lazyConnect: true })
  const link = linkTo(client as never, 2000, { ready () { isReady = true }, lost () { isLost = true }, message () {} })
  t.teardown(() => { link.close() })
  link.open()
  await until(() => isReady, 'the masters')
  await second.kill()
  await until(() => isLost, 'the loss of one')
})
