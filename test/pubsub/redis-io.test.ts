// The two connections to Redis by ioredis and iovalkey.
import type { Duplex } from 'node:stream'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import t from 'tap'
import { ioLink, SHARDED } from '../../src/pubsub/redis-io'
import type { RedisClient } from '../../src/pubsub/redis-link'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { skip, startRedis } from '../helpers/redis'
import { testLink } from '../helpers/redis-links'

checkLeaksAtEnd(t)

const CLIENTS = {
  ioredis: (port: number) => new Redis(port, '127.0.0.1', { lazyConnect: true }) as never as RedisClient,
  iovalkey: (port: number) => new Valkey(port, '127.0.0.1', { lazyConnect: true }) as never as RedisClient
}

for (const [name, create] of Object.entries(CLIENTS)) testLink(name, create)

interface Own {
  status: string
  stream: Duplex
}

/** Gives the connections that are made after the client, as they are made. */
function noteConnections (client: object): Own[] {
  const made: Own[] = []
  const duplicating = client as { duplicate: (options: object) => Own }
  const { duplicate } = duplicating
  duplicating.duplicate = options => {
    const own = duplicate.call(client, options)
    made.push(own)
    return own
  }
  return made
}

for (const [name, create] of Object.entries(CLIENTS)) {
  t.test(`what is asked for in one tick goes out by one write, by ${name}`, { skip }, async t => {
    const server = await startRedis(t)
    const client = create(server.port)
    const made = noteConnections(client)
    let isReady = false
    const link = ioLink(client as never, 1000, { ready: () => { isReady = true }, lost () {}, message () {} })
    t.teardown(() => { link.close() })
    await t.rejects(link.command(['ECHO', 'early']))
    link.open()
    await until(() => isReady, 'the connections')
    const { stream } = made[1] as Own
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

t.test('a link to a master of a cluster is sharded, and does not connect again by itself', { skip }, async t => {
  const server = await startRedis(t)
  const client = CLIENTS.ioredis(server.port)
  const made = noteConnections(client)
  const seen: string[] = []
  const link = ioLink(client as never, 1000, {
    ready: () => { seen.push('ready') },
    lost: () => { seen.push('lost') },
    message: (channel, message) => { seen.push(`${channel} ${String(message)}`) }
  }, SHARDED)
  t.teardown(() => { link.close() })
  link.open()
  await until(() => seen.length === 1, 'the connections')
  await link.subscribe(['a'])
  t.equal(await link.command([link.publishing, 'a', 'x']), 1)
  await until(() => seen.length === 2, 'the message')
  await link.unsubscribe('a')
  t.equal(await link.command([link.publishing, 'a', 'y']), 0)
  await server.kill()
  await until(() => made.every(({ status }) => status === 'end'), 'the end of both')
  t.same(seen, ['ready', 'a x', 'lost', 'lost'])
})
