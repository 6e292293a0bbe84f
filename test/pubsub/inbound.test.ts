// What the engine brings: in order, once, and what is missing is told or fetched.
import t, { type Test } from 'tap'
import type { Gap, PubSub, PubSubOptions } from '../../types/pubsub'
import { newNodeId, seal } from '../../src/pubsub/envelope'
import { Bus, type BusEngine } from '../helpers/bus'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { startPubSub } from '../helpers/pubsub'

checkLeaksAtEnd(t)

interface Node {
  engine: BusEngine
  pubsub: PubSub
  heard: string[]
  gaps: Array<[string[] | true, Gap['reason']]>
}

async function startNode (t: Test, bus: Bus, history: boolean, options: PubSubOptions = {}): Promise<Node> {
  const engine = bus.engine({ history })
  const gaps: Node['gaps'] = []
  const running = await startPubSub(t, { pubsub: { engine, onGap: (topics, { reason }) => { gaps.push([topics, reason]) }, ...options } })
  const { pubsub } = running.app
  const heard: string[] = []
  pubsub.on('a', message => { heard.push(String(message)) })
  await until(() => engine.topics.has('a'), 'the subscription')
  return { engine, pubsub, heard, gaps }
}

async function startNodes (t: Test, history = false): Promise<{ bus: Bus, one: Node, two: Node }> {
  const bus = new Bus()
  return { bus, one: await startNode(t, bus, history), two: await startNode(t, bus, history) }
}

const sent = (sequence: number, text: string, node: number): Buffer => seal({ flags: 0, node, sequence, payload: Buffer.from(text) })

for (const history of [false, true]) {
  t.test(`a message reaches all nodes once, in order ${history ? 'with' : 'without'} a history`, async t => {
    const { one, two } = await startNodes(t, history)
    for (let i = 0; i < 20; i++) await one.pubsub.publish('a', `${i}`)
    const expected = Array.from({ length: 20 }, (_, i) => `${i}`)
    for (const { heard, gaps } of [one, two]) {
      await until(() => heard.length >= 20, 'all messages')
      t.same(heard, expected)
      t.same(gaps, [])
    }
    t.match(two.pubsub.stats, { received: 20, duplicates: 0, foreign: 0, published: 0 })
    t.match(one.pubsub.stats, { received: 0, published: 20 })
  })
}

t.test('what is not ours is dropped, counted and logged once', async t => {
  const { bus, one } = await startNodes(t)
  for (const bytes of ['', 'hello', '{"a":1}']) await bus.engines[1]?.publish('a', Buffer.from(bytes))
  await one.pubsub.publish('a', 'x')
  await until(() => bus.engines[1] !== undefined && one.pubsub.stats.foreign === 3, 'three')
  t.same(one.heard, ['x'])
})

t.test('what comes twice is delivered once', async t => {
  const { one } = await startNodes(t)
  const node = newNodeId()
  for (const [sequence, text] of [[1, 'x'], [1, 'x'], [2, 'y'], [1, 'x'], [2, 'y']] as const) one.engine.context?.deliver('a', sent(sequence, text, node))
  t.same(one.heard, ['x', 'y'])
  t.equal(one.pubsub.stats.duplicates, 3)
})

t.test('a hole is told with the next message', async t => {
  const { one, two } = await startNodes(t)
  await one.pubsub.publish('a', '1')
  one.engine.isLossy = true
  await one.pubsub.publish('a', 'lost')
  one.engine.isLossy = false
  await one.pubsub.publish('a', '2')
  await until(() => two.heard.length === 2, 'two messages')
  t.same(two.heard, ['1', '2'])
  t.same(two.gaps, [[['a'], 'hole']])
  t.equal(two.pubsub.stats.gaps, 1)
  t.same(one.heard, ['1', 'lost', '2'], 'it was delivered where it was published')
})

t.test('an engine that was away is told once, and not again by the holes that it left', async t => {
  const { one, two } = await startNodes(t)
  await one.pubsub.publish('a', '1')
  await until(() => two.heard.length === 1, 'the first')
  two.engine.down()
  await one.pubsub.publish('a', 'lost')
  two.engine.up()
  await one.pubsub.publish('a', '2')
  await until(() => two.heard.length === 2, 'two messages')
  t.same(two.gaps, [[true, 'reconnected']])
})

t.test('with a history, what is missing is fetched when the engine is back, in order with what comes meanwhile', async t => {
  const { one, two } = await startNodes(t, true)
  await one.pubsub.publish('a', '1')
  await until(() => two.heard.length === 1, 'the first')
  two.engine.down()
  for (let i = 2; i <= 250; i++) await one.pubsub.publish('a', `${i}`)
  two.engine.onRead = async () => {
    two.engine.onRead = () => {}
    await one.pubsub.publish('a', '251')
    await until(() => one.heard.length === 251, 'the message')
  }
  two.engine.up()
  two.engine.up()
  await until(() => two.heard.length >= 251, 'all messages')
  await one.pubsub.publish('a', '252')
  await until(() => two.heard.length >= 252, 'all messages')
  t.same(two.heard, Array.from({ length: 252 }, (_, i) => `${i + 1}`))
  t.same(two.gaps, [])
})

t.test('so is what a hole shows, and what is not there either is no hole twice', async t => {
  const { bus, one, two } = await startNodes(t, true)
  const node = newNodeId()
  const put = (sequence: number, text: string, isDelivered = true): void => {
    const message = sent(sequence, text, node)
    const id = bus.keep('a', message)
    if (isDelivered) two.engine.context?.deliver('a', message, id)
  }
  put(1, '1')
  put(2, '2', false)
  put(3, '3')
  put(4, '4')
  await until(() => two.heard.length === 4, 'all messages')
  t.same(two.heard, ['1', '2', '3', '4'])
  t.same(two.gaps, [])
  put(6, '6')
  put(7, '7')
  await until(() => two.heard.length === 6, 'all messages')
  t.same(two.heard, ['1', '2', '3', '4', '6', '7'])
  t.same(one.heard, [])
})

t.test('where the history does not go back that far, or cannot be read, it is told', async t => {
  const { bus, one, two } = await startNodes(t, true)
  await one.pubsub.publish('a', '1')
  await until(() => two.heard.length === 1, 'the first')
  two.engine.down()
  for (const text of ['lost', '2']) await one.pubsub.publish('a', text)
  const kept = bus.log.get('a') ?? []
  bus.forgotten = String(kept[1]?.id)
  bus.log.set('a', kept.slice(2))
  two.engine.up()
  await until(() => two.heard.length === 2, 'the second')
  t.same(two.gaps, [[['a'], 'reconnected']])

  two.engine.failure = new Error('cannot read')
  two.engine.up()
  await until(() => two.gaps.length === 2, 'the gap')
  await one.pubsub.publish('a', '3')
  await until(() => two.heard.length === 3, 'the third')
  t.same(two.heard, ['1', '2', '3'])
  t.same(two.gaps[1], [['a'], 'reconnected'])
})

t.test('a history with something in it that is not ours is read on, and nothing is read where nothing was heard', async t => {
  const { bus, one, two } = await startNodes(t, true)
  two.engine.up()
  await one.pubsub.publish('a', '1')
  await until(() => two.heard.length === 1, 'the first')
  two.engine.down()
  bus.keep('a', Buffer.from('not ours'))
  await one.pubsub.publish('a', '2')
  two.engine.up()
  await until(() => two.heard.length === 2, 'the second')
  t.same(two.heard, ['1', '2'])
  t.equal(two.pubsub.stats.foreign, 1)
})

t.test('a topic that nobody wants any more is read no further', async t => {
  const bus = new Bus()
  const two = await startNode(t, bus, true)
  const one = await startNode(t, bus, true)
  const off = two.pubsub.on('b', () => { two.heard.push('b') })
  await one.pubsub.publish('b', '1')
  await until(() => two.engine.topics.has('b'), 'the subscription')
  await one.pubsub.publish('b', '2')
  await until(() => two.heard.length === 1, 'the first')
  two.engine.down()
  await one.pubsub.publish('b', '3')
  two.engine.onRead = () => { off() }
  two.engine.up()
  await new Promise(resolve => { setTimeout(resolve, 10) })
  t.same(two.heard, ['b'])
})
