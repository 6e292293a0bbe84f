import type { FastifyRequest } from 'fastify'
import t from 'tap'
import type { RouteSocket } from '../../types'
import { memory } from '../../src/pubsub'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { onBus, pairOn } from '../helpers/pubsub-bus'

checkLeaksAtEnd(t)

t.test('asks whether a socket may, once for each subscription, with its request', async t => {
  const asked: unknown[][] = []
  const { served, running } = await pairOn(t, {
    onSubscribe (socket: RouteSocket, topic: string, request: FastifyRequest) {
      asked.push([socket, topic, request.url])
      if (topic === 'throw') throw new Error('mine')
      return topic === 'later' ? Promise.resolve(true) : topic !== 'no'
    }
  })
  await served.subscribe('yes')
  await served.subscribe('yes')
  await served.subscribe('later')
  await t.rejects(served.subscribe('no'), { code: 'FST_WS_PUBSUB_REFUSED', statusCode: 403, message: 'this socket may not subscribe to no' })
  await t.rejects(served.subscribe('throw'), { code: 'FST_WS_PUBSUB_REFUSED', cause: { message: 'mine' } })
  t.same(asked, ['yes', 'later', 'no', 'throw'].map(topic => [served, topic, '/']))
  t.same(served.topics, ['yes', 'later'])
  t.equal(running.app.pubsub.stats.topics, 2)
})

t.test('refuses what cannot be', async t => {
  const { served, inbox } = await pairOn(t, {})
  await t.rejects(served.subscribe(''), { code: 'FST_WS_PUBSUB_INVALID_TOPIC' })
  await t.rejects(served.subscribe(5 as never), { code: 'FST_WS_PUBSUB_INVALID_TOPIC' })
  await t.rejects(served.subscribe('a', { after: '0' }), { code: 'FST_WS_PUBSUB_NO_HISTORY' })
  served.close()
  await t.rejects(served.subscribe('a'), { code: 'FST_WS_PUBSUB_NOT_OPEN' })
  await inbox.closed
  await t.rejects(served.subscribe('a'), { code: 'FST_WS_PUBSUB_NOT_OPEN' })
  const other = await pairOn(t, { engine: memory({ history: true }) })
  for (const after of ['', '$', 'x', '1-1 COUNT 5', 5, null]) await t.rejects(other.served.subscribe('a', { after: after as never }), { code: 'FST_WS_PUBSUB_INVALID_ID' })
})

t.test('waits for the engine; two who ask wait for the same', async t => {
  const { served, engine, running } = await onBus(t)
  const gate = engine.hold()
  const both = [served.subscribe('a'), served.subscribe('a')]
  t.same(served.topics, [])
  gate.resolve()
  await Promise.all(both)
  t.same(served.topics, ['a'])
  t.equal(running.app.pubsub.count('a'), 1)
  t.same(engine.calls, ['subscribe ', 'subscribe a'])
})

t.test('not for longer than timeout, and is not subscribed then', async t => {
  const { served, engine, running } = await onBus(t, { pubsub: { timeout: 20, linger: 1 } })
  const gate = engine.hold()
  await t.rejects(served.subscribe('a'), { code: 'FST_WS_PUBSUB_TIMEOUT', statusCode: 503, message: 'the engine bus was not there within 20 ms' })
  t.same(served.topics, [])
  t.equal(running.app.pubsub.stats.topics, 0)
  gate.resolve()
  engine.gate = undefined
  await until(() => engine.calls.includes('unsubscribe a'), 'the end')
})

t.test('an engine that refuses is told', async t => {
  const { served, engine } = await onBus(t)
  engine.failure = new Error('NOPERM')
  await t.rejects(served.subscribe('a'), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: 'the engine bus is not available: NOPERM', cause: { message: 'NOPERM' } })
  await served.subscribe('a')
})

for (const when of ['while onSubscribe is asked', 'while the engine is']) {
  for (const [name, end, code] of [
    ['unsubscribe()', (socket: RouteSocket) => { socket.unsubscribe('a') }, 'FST_WS_PUBSUB_CANCELLED'],
    ['a close', (socket: RouteSocket) => { socket.terminate() }, 'FST_WS_PUBSUB_NOT_OPEN']
  ] as const) {
    t.test(`${name} ${when} ends a subscription before it is made`, async t => {
      const answer = deferred<boolean>()
      const isHook = when.includes('onSubscribe')
      const { served, engine, running } = await onBus(t, { pubsub: isHook ? { onSubscribe: () => answer.promise } : {} })
      const gate = isHook ? undefined : engine.hold()
      const first = served.subscribe('a')
      end(served)
      answer.resolve(true)
      gate?.resolve()
      await t.rejects(first, { code })
      t.same(served.topics, [])
      t.equal(running.app.pubsub.stats.topics, 0)
    })
  }
}

t.test('a subscription behind an unsubscribe() is a new one', async t => {
  const { served, engine } = await onBus(t)
  const gate = engine.hold()
  const first = served.subscribe('a')
  served.unsubscribe('a')
  const second = served.subscribe('a')
  gate.resolve()
  await t.rejects(first, { code: 'FST_WS_PUBSUB_CANCELLED' })
  await second
  t.same(served.topics, ['a'])
})

t.test('after unsubscribe() nothing more is queued', async t => {
  const { served, inbox, running } = await pairOn(t, {})
  await served.subscribe('a')
  running.app.pubsub.publish('a', '1')
  served.unsubscribe('a')
  running.app.pubsub.publish('a', '2')
  served.send('end')
  t.same([String(await inbox.next()), String(await inbox.next())], ['1', 'end'])
})

t.test('a replay that fails, is cancelled or loses its client leaves nothing behind', async t => {
  const { served, engine, running } = await onBus(t, { history: true })
  const { pubsub } = running.app
  await pubsub.publish('a', '1')
  engine.onRead = () => { throw new Error('cannot read') }
  await t.rejects(served.subscribe('a', { after: '0' }), { code: 'FST_WS_PUBSUB_UNAVAILABLE', cause: { message: 'cannot read' } })
  engine.onRead = () => { served.unsubscribe('a') }
  await t.rejects(served.subscribe('a', { after: '0' }), { code: 'FST_WS_PUBSUB_CANCELLED' })
  engine.onRead = () => { served.terminate() }
  await t.rejects(served.subscribe('a', { after: '0' }), { code: 'FST_WS_PUBSUB_NOT_OPEN' })
  t.equal(pubsub.count('a'), 0)
  t.equal(pubsub.stats.topics, 0)
})

t.test('a socket that leaves while it catches up is gone', async t => {
  const { served, running, engine } = await onBus(t, { history: true })
  await running.app.pubsub.publish('a', '1')
  await served.subscribe('a', { after: '0' })
  t.equal(running.app.pubsub.count('a'), 1)
  served.unsubscribe('a')
  t.equal(running.app.pubsub.count('a'), 0)
  t.ok(engine.topics.has('a'), 'it lingers')
})
