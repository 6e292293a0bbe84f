// Which clients of Redis we know, and what links to it they make.
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import t from 'tap'
import { isRedisClient, linkTo, prefixOf, type RedisClient } from '../../src/pubsub/redis-link'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { skip, startCluster } from '../helpers/redis'

checkLeaksAtEnd(t)

const ioredis = (port: number, options = {}): RedisClient => new Redis(port, '127.0.0.1', { lazyConnect: true, ...options }) as never
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

t.test('makes a link by what a client can do', t => {
  const events = { ready () {}, lost () {}, message () {} }
  for (const create of [ioredis, nodeRedis]) {
    const link = linkTo(create(1), 1000, events)
    t.equal(link.publishing, 'PUBLISH')
    link.close()
  }
  t.end()
})

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
