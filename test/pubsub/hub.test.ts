import t from 'tap'
import { Bus } from '../helpers/bus'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { connectPair, startPubSub } from '../helpers/pubsub'

checkLeaksAtEnd(t)

t.test('publishes to those who subscribe, but for one, or only here', async t => {
  const bus = new Bus()
  const running = await startPubSub(t, { pubsub: { engine: bus.engine() } })
  const other = await startPubSub(t, { pubsub: { engine: bus.engine() } })
  const { pubsub } = running.app
  const [first, second, third] = [await connectPair(t, running), await connectPair(t, running), await connectPair(t, other)]
  for (const { served } of [first, second, third]) await served.subscribe('a')
  await pubsub.publish('a', '1', { except: first.served })
  await pubsub.publish('a', '2', { local: true })
  await pubsub.publish('a', Buffer.from('3'), { binary: false })
  for (const [{ inbox }, texts] of [[first, ['2', '3']], [second, ['1', '2', '3']], [third, ['1', '3']]] as const) {
    for (const text of texts) t.match(await inbox.next(), { data: Buffer.from(text), isBinary: false })
  }
  t.equal(pubsub.engine, 'bus')
  t.match(pubsub.stats, { topics: 1, published: 3, isUp: true })
})

t.test('also where the engine orders', async t => {
  const bus = new Bus()
  const running = await startPubSub(t, { pubsub: { engine: bus.engine({ history: true }) } })
  const [first, second] = [await connectPair(t, running), await connectPair(t, running)]
  for (const { served } of [first, second]) await served.subscribe('a')
  await running.app.pubsub.publish('a', '1', { except: first.served })
  await running.app.pubsub.publish('b', 'nobody', { except: first.served })
  await running.app.pubsub.publish('a', '2')
  t.equal(String(await first.inbox.next()), '2')
  t.equal(String(await second.inbox.next()), '1')
})

t.test('refuses what cannot be published', async t => {
  const running = await startPubSub(t, { pubsub: { maxPayload: 10 } })
  const other = await startPubSub(t)
  const { pubsub } = running.app
  const [mine, theirs] = [await connectPair(t, running), await connectPair(t, other)]
  await mine.served.subscribe('a')
  await t.rejects(pubsub.publish('', 'x'), { code: 'FST_WS_PUBSUB_INVALID_TOPIC' })
  await t.rejects(pubsub.publish('a', undefined), { code: 'FST_WS_PUBSUB_INVALID_MESSAGE' })
  await t.rejects(pubsub.publish('a', 'ü'.repeat(6)), { code: 'FST_WS_PUBSUB_TOO_LARGE', statusCode: 413, message: 'the message has 12 bytes, more than maxPayload allows (10)' })
  await t.rejects(pubsub.publish('a', 'x', { binary: 'yes' as never }), { code: 'FST_WS_INVALID_OPTION' })
  for (const except of [theirs.served, mine.socket, {}]) await t.rejects(pubsub.publish('a', 'x', { except: except as never }), { code: 'FST_WS_PUBSUB_FOREIGN_SOCKET' })
  t.throws(() => pubsub.on('', () => {}), { code: 'FST_WS_PUBSUB_INVALID_TOPIC' })
  t.throws(() => pubsub.on('a', 5 as never), { code: 'FST_WS_INVALID_OPTION' })
  const { served } = await connectPair(t, running)
  await pubsub.publish('a', 'ü'.repeat(5), { except: served })
  mine.served.close()
  await pubsub.publish('a', '2', { except: mine.served })
  t.equal(String(await mine.inbox.next()), 'üüüüü')
})

t.test('while the engine is down, publishing rejects at once and has happened here; it is logged, and ends no process', async t => {
  const bus = new Bus()
  const engine = bus.engine()
  const running = await startPubSub(t, { pubsub: { engine } })
  const { pubsub } = running.app
  const heard: string[] = []
  pubsub.on('a', message => { heard.push(String(message)) })
  engine.down(new Error('gone'))
  pubsub.publish('a', '1')
  await t.rejects(pubsub.publish('a', '2'), { code: 'FST_WS_PUBSUB_UNAVAILABLE', statusCode: 503, message: 'the engine bus is not available: it is down' })
  t.same(heard, ['1', '2'])
  t.match(await running.logged('pubsub: the engine bus is down'), { err: { message: 'gone' } })
  t.equal(pubsub.stats.isUp, false)
  await t.rejects(pubsub.countAll('a'), { code: 'FST_WS_PUBSUB_UNAVAILABLE' })
  await pubsub.publish('a', '3', { local: true })
  engine.up()
  await running.logged('pubsub: the engine bus works again')
  engine.failure = new Error('refused')
  await t.rejects(pubsub.publish('a', '4'), { code: 'FST_WS_PUBSUB_UNAVAILABLE', cause: { message: 'refused' } })
  engine.failure = new Error('refused')
  await t.rejects(pubsub.countAll('a'), { cause: { message: 'refused' } })
  engine.down()
  engine.down()
  t.equal(running.log.filter(({ msg }) => msg === 'pubsub: the engine bus is down').length, 2)
  t.same(heard, ['1', '2', '3', '4'])
})

t.test('onGap that throws or rejects is logged', async t => {
  const bus = new Bus()
  const engine = bus.engine()
  let calls = 0
  const running = await startPubSub(t, {
    pubsub: {
      engine,
      onGap () {
        if (++calls === 1) throw new Error('of onGap')
        return Promise.reject(new Error('of an async onGap'))
      }
    }
  })
  engine.up()
  engine.up()
  await running.logged('of onGap')
  await running.logged('of an async onGap')
  const without = bus.engine()
  await startPubSub(t, { pubsub: { engine: without } })
  without.up()
})

t.test('counts and closes the sockets of all nodes', async t => {
  const bus = new Bus()
  const nodes = [await startPubSub(t, { pubsub: { engine: bus.engine() } }), await startPubSub(t, { pubsub: { engine: bus.engine() } })]
  const pairs = [await connectPair(t, nodes[0] as never), await connectPair(t, nodes[1] as never), await connectPair(t, nodes[1] as never)]
  for (const { served } of pairs) await served.subscribe('a')
  const { pubsub } = (nodes[0] as typeof nodes[number]).app
  await until(() => bus.engines.every(engine => engine.topics.has('')), 'the hubs')
  t.same(await pubsub.countAll('a'), { sockets: 3, nodes: 2, missing: 0 })
  t.same(await pubsub.countAll('b', { timeout: 5000 }), { sockets: 0, nodes: 2, missing: 0 })
  t.same(pubsub.sockets('a'), [pairs[0]?.served])
  t.same(pubsub.sockets('b'), [])
  t.same([pubsub.count('a'), pubsub.count('b')], [1, 0])
  t.same(await pubsub.disconnect('a', 4000, 'over'), { sockets: 3, nodes: 2, missing: 0 })
  for (const { inbox } of pairs) t.match(await inbox.closed, { code: 4000, reason: 'over' })
  t.same(await pubsub.disconnect('a'), { sockets: 0, nodes: 2, missing: 0 })
  for (const bad of [pubsub.countAll(''), pubsub.countAll('a', { timeout: -1 }), pubsub.disconnect('a', 5), pubsub.disconnect('a', 1000, 'x'.repeat(124))]) {
    await t.rejects(bad, { code: /FST_WS_(INVALID_OPTION|PUBSUB_INVALID_TOPIC)/ })
  }
})

t.test('alone there is nobody to ask, and what is no note of a hub is none', async t => {
  const { app: { pubsub } } = await startPubSub(t)
  t.same(await pubsub.countAll('a'), { sockets: 0, nodes: 1, missing: 0 })
  const engine = new Bus().engine()
  const running = await startPubSub(t, { pubsub: { engine } })
  engine.context?.deliver('', Buffer.from('x'))
  engine.context?.deliver('nobody', Buffer.from('x'))
  t.equal(running.app.pubsub.stats.foreign, 1)
})

t.test('a subscription of a listener that the engine refuses is logged', async t => {
  const engine = new Bus().engine()
  const running = await startPubSub(t, { pubsub: { engine } })
  await until(() => engine.topics.has(''), 'the hubs')
  engine.failure = new Error('NOPERM a')
  const off = running.app.pubsub.on('a', () => {})
  await running.logged('NOPERM a')
  off()
  const refusing = new Bus().engine()
  refusing.failure = new Error('NOPERM control')
  await (await startPubSub(t, { pubsub: { engine: refusing } })).logged('NOPERM control')
})

t.test('nothing is logged of what ends with the application', async t => {
  const engine = new Bus().engine()
  const running = await startPubSub(t, { pubsub: { engine } })
  const gate = engine.hold()
  const off = running.app.pubsub.on('a', () => {})
  await running.close()
  await t.rejects(running.app.pubsub.publish('a', 'x'), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /it is closed/ })
  engine.down(new Error('closed'))
  engine.up()
  gate.reject(new Error('closed'))
  await new Promise(resolve => { setImmediate(resolve) })
  off()
  t.same(running.log.filter(({ level }) => level > 30), [])

  const held = new Bus().engine()
  const second = held.hold()
  const closing = await startPubSub(t, { pubsub: { engine: held } })
  await closing.close()
  second.reject(new Error('closed'))
  await new Promise(resolve => { setImmediate(resolve) })
  t.same(closing.log.filter(({ level }) => level > 30), [])
})
