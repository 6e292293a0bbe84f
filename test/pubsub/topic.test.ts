import t from 'tap'
import { CatchUp } from '../../src/pubsub/catch-up'
import type { Member } from '../../src/pubsub/member'
import { Topic } from '../../src/pubsub/topic'

t.test('is idle where nobody listens, nor is about to', async t => {
  const topic = new Topic('a')
  const [first, second] = [{} as Member, {} as Member]
  t.ok(topic.isIdle)
  topic.members.add(first)
  t.notOk(topic.isIdle)
  topic.members.delete(first)
  topic.pending++
  t.notOk(topic.isIdle)
  topic.pending--
  topic.listeners = new Set([() => {}])
  t.notOk(topic.isIdle)
  topic.listeners.clear()
  t.ok(topic.isIdle)
  topic.catchUps = new Set([new CatchUp(second, '0')])
  t.notOk(topic.isIdle)
  topic.members.add(first)
  t.same(topic.sockets(), [first, second])
  t.equal(topic.size, 2)
  topic.catchUps = undefined
  t.same(topic.sockets(), [first])
  t.equal(topic.size, 1)
})
