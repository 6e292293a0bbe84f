import t from 'tap'
import { Interests } from '../../src/pubsub/interests'
import type { Member } from '../../src/pubsub/member'
import { Topics } from '../../src/pubsub/topics'
import { Bus } from '../helpers/bus'
import { until } from '../helpers/limit'

t.test('a topic is there as long as somebody needs it', async t => {
  const engine = new Bus().engine()
  const topics = new Topics(new Interests(engine, 1))
  const topic = topics.take('a')
  t.equal(topics.take('a'), topic)
  t.equal(topics.get('a'), topic)
  await topics.whenLive(topic)
  const member = {} as Member
  topic.add(member)
  topics.settle(topic)
  t.same([topics.size, topics.all()], [1, [topic]])
  topic.delete(member)
  topics.settle(topic)
  topics.settle(topic)
  t.same([topics.size, topics.get('a')], [0, undefined])
  await until(() => engine.calls.length === 2, 'the end')
})

t.test('needs no engine', async t => {
  const topics = new Topics(undefined)
  const topic = topics.take('a')
  t.equal(topics.whenLive(topic), undefined)
  topics.settle(topic)
  t.equal(topics.size, 0)
})
