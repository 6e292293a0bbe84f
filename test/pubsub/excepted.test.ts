import t from 'tap'
import { Excepted } from '../../src/pubsub/excepted'
import type { Member } from '../../src/pubsub/member'

const member = {} as Member

t.test('gives who was put there, once', async t => {
  const excepted = new Excepted()
  excepted.put('topic', 1, member)
  t.equal(excepted.take('topic', 2), undefined)
  t.equal(excepted.take('other', 1), undefined)
  t.equal(excepted.take('topic', 1), member)
  t.equal(excepted.take('topic', 1), undefined)
})

t.test('forgets the oldest', async t => {
  const excepted = new Excepted()
  for (let i = 0; i <= 10_000; i++) excepted.put('topic', i, member)
  t.equal(excepted.take('topic', 0), undefined)
  t.equal(excepted.take('topic', 1), member)
})
