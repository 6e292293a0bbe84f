import t from 'tap'
import type { Gap } from '../../types/pubsub'
import { memory } from '../../src/pubsub'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { onBus, pairOn } from '../helpers/pubsub-bus'

checkLeaksAtEnd(t)

t.test('gives what was missed, then goes live, without a hole or a repetition', async t => {
  const { served, inbox, running, engine, bus } = await onBus(t, { history: true, pubsub: { serialize: (message, { id }) => `${id} ${message}` } })
  const { pubsub } = running.app
  for (let i = 1; i <= 250; i++) await pubsub.publish('a', `${i}`)
  const after = String(bus.log.get('a')?.[9]?.id)
  let reads = 0
  engine.onRead = async () => { await pubsub.publish('a', `${250 + ++reads}`) }
  t.same(await served.subscribe('a', { after }), { replayed: 243, gap: false })
  t.equal(pubsub.count('a'), 1)
  await pubsub.publish('a', '254')
  const got: string[] = []
  for (let i = 11; i <= 254; i++) got.push(String(await inbox.next()))
  t.same(got, Array.from({ length: 244 }, (_, i) => `1-${i + 11} ${i + 11}`))
  await served.subscribe('a', { after: '0' })
  served.send('end')
  t.equal(String(await inbox.next()), 'end', 'who subscribes already gets nothing twice')
})

t.test('says where the history does not go back that far, and goes live', async t => {
  const gaps: unknown[] = []
  const { served, inbox, running } = await pairOn(t, { engine: memory({ history: { maxLength: 2 } }), onGap (topics: string[] | true, gap: Gap) { gaps.push([topics, gap]) }, serialize: (message, { id }) => `${id} ${message}` })
  const { pubsub } = running.app
  const ids: string[] = []
  pubsub.on('a', (_message, { id }) => { ids.push(String(id)) })
  for (let i = 1; i <= 5; i++) await pubsub.publish('a', `${i}`)
  t.same(await served.subscribe('a', { after: String(ids[0]) }), { replayed: 2, gap: true })
  t.same(gaps, [[['a'], { reason: 'history', socket: served }]])
  await pubsub.publish('a', '6')
  for (let i = 4; i <= 6; i++) t.equal(String(await inbox.next()), `${ids[i - 1]} ${i}`)
})

t.test('what the history has twice, or is not ours, or cannot be made a message of, is left out', async t => {
  const { served, inbox, running, bus } = await onBus(t, { history: true, pubsub: { serialize (message) { if (message === 'bad') throw new Error('bad'); return String(message) } } })
  const { pubsub } = running.app
  for (const text of ['1', 'bad', '2']) await pubsub.publish('a', text)
  bus.keep('a', bus.log.get('a')?.[0]?.message ?? Buffer.alloc(0))
  bus.keep('a', Buffer.from('not ours'))
  await pubsub.publish('a', '3')
  t.same(await served.subscribe('a', { after: '0' }), { replayed: 3, gap: false })
  t.same([String(await inbox.next()), String(await inbox.next()), String(await inbox.next())], ['1', '2', '3'])
})

t.test('stops where the history cannot be read, or nobody wants it any more', async t => {
  const { served, inbox, running, engine } = await onBus(t, { history: true })
  for (let i = 1; i <= 150; i++) await running.app.pubsub.publish('a', `${i}`)
  engine.onRead = () => { throw new Error('cannot read') }
  await t.rejects(served.subscribe('a', { after: '0' }), { code: 'FST_WS_PUBSUB_UNAVAILABLE', cause: { message: 'cannot read' } })
  let pages = 0
  engine.onRead = () => { if (++pages === 2) served.unsubscribe('a') }
  await t.rejects(served.subscribe('a', { after: '0' }), { code: 'FST_WS_PUBSUB_CANCELLED' })
  t.equal(pages, 2)
  served.send('end')
  for (let i = 1; i <= 100; i++) t.equal(String(await inbox.next()), `${i}`)
  t.equal(String(await inbox.next()), 'end')
})
