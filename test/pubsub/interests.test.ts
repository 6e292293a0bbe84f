import t from 'tap'
import { Interests } from '../../src/pubsub/interests'
import { Bus } from '../helpers/bus'
import { until } from '../helpers/limit'

t.test('asks once, and says at once what is live', async t => {
  const engine = new Bus().engine()
  const interests = new Interests(engine, 5)
  await Promise.all([interests.want('a'), interests.want('a')])
  t.equal(interests.want('a'), undefined)
  t.same(engine.calls, ['subscribe a'])
})

t.test('one that nobody wants lingers, and one that is wanted again stays', async t => {
  const engine = new Bus().engine()
  const interests = new Interests(engine, 5)
  await interests.want('a')
  interests.release('a')
  t.equal(interests.want('a'), undefined)
  interests.release('a')
  interests.release('a')
  t.same(engine.calls, ['subscribe a'])
  await until(() => engine.calls.length === 2, 'the end')
  t.same(engine.calls, ['subscribe a', 'unsubscribe a'])
  interests.release('a')
  interests.release('never')
  await interests.want('a')
  t.same(engine.calls, ['subscribe a', 'unsubscribe a', 'subscribe a'])
})

t.test('as long as it is said', async t => {
  const [short, long] = [new Bus().engine(), new Bus().engine()]
  const [quick, patient] = [new Interests(short, 20), new Interests(long, 60_000)]
  t.teardown(() => { patient.close() })
  for (const interests of [patient, quick]) {
    await interests.want('a')
    interests.release('a')
  }
  await until(() => short.calls.length === 2, 'the end of the short one')
  t.same(long.calls, ['subscribe a'])
})

t.test('never asks two things of a topic at a time', async t => {
  const engine = new Bus().engine()
  const interests = new Interests(engine, 1)
  const gate = engine.hold()
  const first = interests.want('a')
  interests.release('a')
  await until(() => engine.calls.length === 1, 'the subscription')
  await new Promise(resolve => { setTimeout(resolve, 5) })
  t.same(engine.calls, ['subscribe a'], 'the end waits for the beginning')
  gate.resolve()
  await first
  await until(() => engine.calls.length === 2, 'the end')

  engine.gate = undefined
  await until(() => !engine.topics.has('a'), 'the end')
  await interests.want('a')
  const second = engine.hold()
  interests.release('a')
  await until(() => engine.calls.length === 4, 'the next end')
  const again = interests.want('a')
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(engine.calls.length, 4, 'the beginning waits for the end')
  engine.gate = undefined
  second.resolve()
  await again
  t.same(engine.calls.slice(3), ['unsubscribe a', 'subscribe a'])
  t.ok(engine.topics.has('a'))
})

t.test('a subscription that fails is nobody\'s, and the next one asks anew', async t => {
  const engine = new Bus().engine()
  const interests = new Interests(engine, 1)
  engine.failure = new Error('no')
  await t.rejects(interests.want('a') ?? Promise.resolve(), { message: 'no' })
  await interests.want('a')
  engine.failure = new Error('no')
  await t.rejects(interests.want('b') ?? Promise.resolve(), { message: 'no' })
  interests.release('b')
  t.same(engine.calls, ['subscribe a', 'subscribe a', 'subscribe b'])
})

t.test('an end that fails is an end', async t => {
  const engine = new Bus().engine()
  const interests = new Interests(engine, 1)
  await interests.want('a')
  const gate = engine.hold()
  interests.release('a')
  await until(() => engine.calls.length === 2, 'the end')
  engine.gate = undefined
  gate.reject(new Error('no'))
  await interests.want('a')
  t.same(engine.calls, ['subscribe a', 'unsubscribe a', 'subscribe a'])
})

t.test('asks nothing more once it is closed', async t => {
  const engine = new Bus().engine()
  const interests = new Interests(engine, 1)
  await Promise.all([interests.want('a'), interests.want('b')])
  interests.release('a')
  interests.close()
  interests.release('b')
  await new Promise(resolve => { setTimeout(resolve, 10) })
  t.same(engine.calls, ['subscribe a', 'subscribe b'])
})
