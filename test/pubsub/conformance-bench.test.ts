import t from 'tap'
import { Bench } from '../../src/pubsub/conformance-bench'
import { Bus } from '../helpers/bus'
import { checkLeaksAtEnd } from '../helpers/leaks'

checkLeaksAtEnd(t)

t.test('its nodes note what they are brought, and end with it', async t => {
  const bus = new Bus()
  const bench = new Bench({ create: () => bus.engine({ history: true }) })
  const [topic, other] = [bench.topic('a'), bench.topic('b')]
  t.not(topic, new Bench({ create: () => bus.engine() }).topic('a'), 'no other test has these topics')
  const one = await bench.node(topic)
  const two = await bench.node(topic, other)
  await one.engine.publish(topic, Buffer.of(0, 255))
  await bench.until(() => two.got.length === 1, 'the message')
  t.same(two.got, [{ topic, text: '\0\u00ff', id: '1-1' }])
  t.same(one.got, two.got)
  t.same(one.statuses, [{ state: 'up' }])
  await bench.close()
  for (const { isUp } of bus.engines) t.equal(isUp, false)
})

t.test('waits for as long as its options say, or for five seconds', async t => {
  const create = (): ReturnType<Bus['engine']> => new Bus().engine()
  t.equal(new Bench({ create }).limit, 5000)
  await t.rejects(new Bench({ create, timeout: 10 }).until(() => false, 'something'), { message: 'not within 10 ms: something' })
})
