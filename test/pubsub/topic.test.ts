import t from 'tap'
import { CatchUp } from '../../src/pubsub/catch-up'
import type { Member } from '../../src/pubsub/member'
import { Topic } from '../../src/pubsub/topic'

t.test('is idle where nobody listens, nor is about to', async t => {
  const topic = new Topic('a')
  const [first, second] = [{} as Member, {} as Member]
  t.ok(topic.isIdle)
  topic.add(first)
  t.notOk(topic.isIdle)
  topic.delete(first)
  topic.pending++
  t.notOk(topic.isIdle)
  topic.pending--
  topic.listeners = new Set([() => {}])
  t.notOk(topic.isIdle)
  topic.listeners.clear()
  t.ok(topic.isIdle)
  topic.catchUps = new Set([new CatchUp(second, '0')])
  t.notOk(topic.isIdle)
  topic.add(first)
  t.same(topic.sockets(), [first, second])
  t.equal(topic.size, 2)
  topic.catchUps = undefined
  t.same(topic.sockets(), [first])
  t.equal(topic.size, 1)
})

t.test('its members are in the order in which they came, from none to many and back', async t => {
  const topic = new Topic('a')
  const [first, second, third] = [{} as Member, {} as Member, {} as Member]
  const check = (...expected: Member[]): void => {
    const members = [...topic.members]
    t.equal(members.length, expected.length)
    t.ok(members.every((member, i) => member === expected[i]))
    t.equal(topic.size, expected.length)
    t.equal(topic.hasMembers, expected.length > 0)
  }
  check()
  topic.add(first)
  check(first)
  topic.delete(second)
  check(first)
  topic.add(second)
  topic.add(third)
  topic.add(third)
  check(first, second, third)
  topic.delete(second)
  check(first, third)
  topic.delete(first)
  topic.delete(third)
  check()
  topic.add(second)
  topic.delete(second)
  check()
})
