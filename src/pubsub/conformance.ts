// The entry point fastify-wss/pubsub/conformance: what an engine has to hold, as tests for any runner. They use an engine as the
// hub does, several of it for several nodes.

import assert from 'node:assert/strict'
import type { History } from '../../types/pubsub'
import type { Conformance, ConformanceTest } from '../../types/pubsub-conformance'
import { Bench } from './conformance-bench'
import { compareIds, isId, START } from './ids'

type Test = (bench: Bench) => Promise<void>

export function conformance (options: Conformance): ConformanceTest[] {
  const probe = options.create()
  const tests: Array<[string, Test, boolean]> = [
    ['brings a message to all who subscribe to its topic', reachesAll, true],
    ['keeps the order of the calls', keepsOrder, true],
    ['leaves the bytes as they are', keepsBytes, true],
    ['takes topics as they are, whatever is in them', keepsTopics, true],
    ['brings nothing behind an unsubscribe', endsWithUnsubscribe, true],
    ['the last of many subscribes and unsubscribes counts', lastCounts, true],
    ['says how many nodes it reached, or nothing', countsNodes, true],
    ['publishes nothing once it is closed, and closes twice', closes, probe.alone !== true],
    ['gives ids that grow, and reads what is behind one', readsHistory, probe.history !== undefined],
    ["keeps nothing of the hubs' own topic", keepsNoNotes, probe.history !== undefined],
    ['says so when it goes down and comes back, and has all subscriptions then', survives, options.interrupt !== undefined]
  ]
  return tests.filter(([, , applies]) => applies).map(([name, test]) => ({ name, run: async () => { await runOn(new Bench(options), test) } }))
}

async function runOn (bench: Bench, test: Test): Promise<void> {
  try {
    await test(bench)
  } finally {
    await bench.close()
  }
}

async function reachesAll (bench: Bench): Promise<void> {
  const [topic, other] = [bench.topic('a'), bench.topic('b')]
  const all = [await bench.node(topic), await bench.node(topic, other)]
  const third = await bench.node(other)
  if (third.engine.alone === true) return
  await third.engine.publish(topic, Buffer.from('x'))
  await third.engine.publish(other, Buffer.from('y'))
  const isShared = all.every(({ engine }) => engine.name !== 'memory')
  if (!isShared) return
  await bench.until(() => all.every(({ got }) => got.some(({ text }) => text === 'x')), 'the message on all nodes')
  await bench.until(() => third.got.length > 0, 'the message on the node that published')
  assert.deepEqual(third.got.map(({ text }) => text), ['y'])
  assert.deepEqual(all[0]?.got.map(({ topic, text }) => [topic, text]), [[topic, 'x']])
}

async function keepsOrder (bench: Bench): Promise<void> {
  const topic = bench.topic()
  const node = await bench.node(topic)
  if (node.engine.alone === true) return
  const texts = Array.from({ length: 500 }, (_, i) => String(i))
  await Promise.all(texts.map(async text => await node.engine.publish(topic, Buffer.from(text))))
  await bench.until(() => node.got.length >= texts.length, 'all messages')
  assert.deepEqual(node.got.map(({ text }) => text), texts)
}

async function keepsBytes (bench: Bench): Promise<void> {
  const topic = bench.topic()
  const node = await bench.node(topic)
  if (node.engine.alone === true) return
  const messages = [Buffer.alloc(0), Buffer.from(Array.from({ length: 256 }, (_, i) => i)), Buffer.from('1-1 x'), Buffer.from('\r\n$-1\r\n'), Buffer.alloc(1024 * 1024, 0xff)]
  for (const message of messages) await node.engine.publish(topic, message)
  await bench.until(() => node.got.length >= messages.length, 'all messages')
  assert.deepEqual(node.got.map(({ text }) => text), messages.map(message => message.toString('latin1')))
}

async function keepsTopics (bench: Bench): Promise<void> {
  const names = ['*', '#', '+', '?', '[a-z]', 'a/b', 'a.b', '{x}', '}{', 'ünï', '\u{1f600}', '\0', '\r\n', ' ', '$', 'x'.repeat(1024 - bench.topic().length)]
  const topics = names.map(name => bench.topic(name))
  const node = await bench.node(...topics)
  const other = bench.topic('b')
  if (node.engine.alone === true) return
  for (const topic of [other, ...topics]) await node.engine.publish(topic, Buffer.from('x'))
  await bench.until(() => node.got.length >= topics.length, 'a message of each topic')
  assert.deepEqual(new Set(node.got.map(({ topic }) => topic)), new Set(topics))
  assert.equal(node.got.length, topics.length)
}

async function endsWithUnsubscribe (bench: Bench): Promise<void> {
  const [topic, mark] = [bench.topic('a'), bench.topic('mark')]
  const node = await bench.node(topic, mark)
  await node.engine.unsubscribe(topic)
  if (node.engine.alone === true) return
  await node.engine.publish(topic, Buffer.from('x'))
  await node.engine.publish(mark, Buffer.from('mark'))
  await bench.until(() => node.got.length > 0, 'the mark')
  assert.deepEqual(node.got.map(({ text }) => text), ['mark'])
}

// The hub asks one thing at a time for each topic, and many at a time for all.
async function lastCounts (bench: Bench): Promise<void> {
  const topics = Array.from({ length: 20 }, (_, i) => bench.topic(String(i)))
  const node = await bench.node()
  await Promise.all(topics.map(async (topic, i) => {
    for (let turn = 0; turn <= i % 4; turn++) await (turn % 2 === 0 ? node.engine.subscribe(topic) : node.engine.unsubscribe(topic))
  }))
  if (node.engine.alone === true) return
  const mark = bench.topic('mark')
  await node.engine.subscribe(mark)
  for (const topic of [...topics, mark]) await node.engine.publish(topic, Buffer.from('x'))
  const expected = [...topics.filter((_, i) => i % 4 % 2 === 0), mark].sort()
  await bench.until(() => node.got.length >= expected.length, 'a message of each topic that is subscribed to')
  assert.deepEqual(node.got.map(({ topic }) => topic).sort(), expected)
}

async function countsNodes (bench: Bench): Promise<void> {
  const node = await bench.node('')
  const count = await node.engine.publish('', Buffer.from('x'))
  assert.ok(count === undefined || (Number.isInteger(count) && count >= 1), `it gave ${count}`)
}

async function closes (bench: Bench): Promise<void> {
  const node = await bench.node(bench.topic())
  await node.engine.close()
  await node.engine.close()
  if (node.engine.name !== 'memory') await assert.rejects(node.engine.publish(bench.topic(), Buffer.from('x')))
}

async function readsHistory (bench: Bench): Promise<void> {
  const topic = bench.topic()
  const node = await bench.node(topic)
  const history = node.engine.history as History
  assert.equal(compareIds(await history.last(topic), START), 0)
  const texts = Array.from({ length: 10 }, (_, i) => String(i))
  for (const text of texts) await node.engine.publish(topic, Buffer.from(text))
  await bench.until(() => node.got.length >= texts.length, 'all messages')
  const ids = node.got.map(({ id }) => String(id))
  ids.forEach((id, i) => { assert.ok(isId(id) && compareIds(id, ids[i - 1] ?? START) > 0, `${id} behind ${ids[i - 1]}`) })
  assert.equal(await history.last(topic), ids.at(-1))
  for (const [after, limit, from, to] of [[START, 100, 0, 10], [START, 3, 0, 3], [String(ids[2]), 100, 3, 10], [String(ids[2]), 2, 3, 5], [String(ids[9]), 100, 10, 10]] as const) {
    const page = await history.read(topic, after, limit)
    assert.deepEqual(page.messages.map(({ id, message }) => [id, Buffer.from(message).toString()]), texts.slice(from, to).map((text, i) => [ids[from + i], text]))
    assert.equal(page.isComplete, true)
  }
  assert.equal((await history.read(topic, '0-1', 100)).isComplete, false, 'an id of long ago')
}

async function keepsNoNotes (bench: Bench): Promise<void> {
  const node = await bench.node('')
  await node.engine.publish('', Buffer.from('x'))
  await bench.until(() => node.got.length > 0, 'the note')
  assert.deepEqual((await (node.engine.history as History).read('', START, 100)).messages, [])
}

async function survives (bench: Bench): Promise<void> {
  const topics = Array.from({ length: 50 }, (_, i) => bench.topic(String(i)))
  const node = await bench.node(...topics)
  await bench.options.interrupt?.()
  await bench.until(() => node.statuses.at(-1)?.state === 'down', 'that it is down')
  await assert.rejects(node.engine.publish(String(topics[0]), Buffer.from('lost')))
  const late = node.engine.subscribe(bench.topic('late'))
  await bench.options.resume?.()
  await bench.until(() => node.statuses.at(-1)?.state === 'up', 'that it is up')
  assert.equal(node.statuses.at(-1)?.gap, true)
  await late
  for (const topic of [...topics, bench.topic('late')]) await node.engine.publish(topic, Buffer.from('x'))
  await bench.until(() => node.got.length > topics.length, 'a message of each topic')
  assert.equal(new Set(node.got.map(({ topic }) => topic)).size, topics.length + 1)
  assert.ok(node.got.every(({ text }) => text === 'x'), 'nothing is published later')
}
