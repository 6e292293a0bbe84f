import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openPublished, RedisHistory } from '../../src/pubsub/redis-history'
import type { Argument } from '../../src/pubsub/redis-link'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { skip, startRedis } from '../helpers/redis'

checkLeaksAtEnd(t)

interface Topic {
  client: Redis
  history: RedisHistory
  /** Gives how many were reached. */
  publish: (message: string | Buffer) => Promise<unknown>
}

async function open (t: Test, kept: { maxLength: number, maxAge: number }): Promise<Topic> {
  const server = await startRedis(t)
  const client = new Redis(server.port, '127.0.0.1')
  t.teardown(() => { client.disconnect() })
  const command = async ([name, ...args]: Argument[]): Promise<unknown> => await client.callBuffer(String(name), ...args)
  const history = new RedisHistory(kept, 'p:', command)
  return { client, history, publish: async message => await command(history.publishCommand('PUBLISH', 'p:a', Buffer.from(message))) }
}

t.test('keeps what is published under its id, and publishes both', { skip }, async t => {
  const { client, history, publish } = await open(t, { maxLength: 100, maxAge: 60_000 })
  t.equal(await history.last('a'), '0-0')
  const listening = client.duplicate()
  t.teardown(() => { listening.disconnect() })
  const got: Buffer[] = []
  listening.on('messageBuffer', (_channel, message) => { got.push(message) })
  await listening.subscribe('p:a')
  const bytes = Buffer.from([0, 0x20, 255])
  t.equal(await publish('one'), 1)
  await publish(bytes)
  await until(() => got.length === 2, 'both')
  const published = got.map(openPublished)
  t.same(published.map(({ message }) => message), [Buffer.from('one'), bytes])
  t.same(await history.read('a', '0', 10), { messages: published, isComplete: true })
  t.same(await history.read('a', String(published[0]?.id), 10), { messages: published.slice(1), isComplete: true })
  t.same(await history.read('a', '0', 1), { messages: published.slice(0, 1), isComplete: true })
  t.equal(await history.last('a'), published[1]?.id)
})

t.test('knows whether something is missing behind an id', { skip }, async t => {
  const { client, history, publish } = await open(t, { maxLength: 3, maxAge: 60_000 })
  t.same(await history.read('a', '0-0', 10), { messages: [], isComplete: true }, 'there was nothing yet')
  t.same(await history.read('a', '1-0', 10), { messages: [], isComplete: false }, 'an id that is not there any more')
  for (let i = 0; i < 2; i++) await publish(`${i}`)
  t.match(await history.read('a', '0-0', 10), { isComplete: true })
  const first = await history.last('a')
  for (let i = 2; i < 6; i++) await publish(`${i}`)
  t.equal(await client.xlen('p:a'), 3)
  t.match(await history.read('a', '0-0', 10), { isComplete: false })
  const { messages, isComplete } = await history.read('a', first, 10)
  t.same([messages.map(({ message }) => String(message)), isComplete], [['3', '4', '5'], false])
})

t.test('keeps it for so long', { skip }, async t => {
  const { client, history, publish } = await open(t, { maxLength: 100, maxAge: 300 })
  await publish('old')
  const old = await history.last('a')
  await until(async () => {
    await publish('new')
    return (await client.xrange('p:a', old, old)).length === 0
  }, 'the end of the first')
  await until(async () => await client.exists('p:a') === 0, 'the end of the stream')
})

t.test('what has no id in front of it is before all others', async t => {
  t.same(openPublished(Buffer.from('1-2 x y')), { id: '1-2', message: Buffer.from('x y') })
  t.same(openPublished(Buffer.from('nothing')), { id: '0', message: Buffer.from('nothing') })
})
