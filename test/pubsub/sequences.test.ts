import t from 'tap'
import { Counts, Heard } from '../../src/pubsub/sequences'

t.test('counts each topic', async t => {
  const counts = new Counts()
  t.same(['a', 'a', 'b', 'a'].map(topic => counts.next(topic)), [1, 2, 1, 3])
})

t.test('a count that was forgotten goes on above all others, so a hole is seen', async t => {
  const counts = new Counts(2)
  const heard = new Heard()
  for (let i = 0; i < 5; i++) heard.hear(1, counts.next('a'))
  counts.next('b')
  counts.next('c')
  const next = counts.next('a')
  t.ok(heard.isHole(1, next))
  t.ok(heard.hear(1, next))
  t.notOk(heard.isHole(1, counts.next('a')))
})

t.test('tells what is missing and what comes twice, by node', async t => {
  const heard = new Heard()
  t.notOk(heard.isHole(1, 5), 'nothing is known before')
  t.ok(heard.hear(1, 5))
  t.notOk(heard.isHole(1, 6))
  t.ok(heard.hear(1, 6))
  t.notOk(heard.hear(1, 6))
  t.notOk(heard.hear(1, 2))
  t.ok(heard.isHole(1, 8))
  t.ok(heard.hear(1, 8))
  t.notOk(heard.hear(1, 7), 'it is late')
  t.ok(heard.hear(2, 1))
})

t.test('a hole that is excused is none, and what came before is still known', async t => {
  const heard = new Heard()
  heard.hear(1, 5)
  heard.excuse()
  t.notOk(heard.isHole(1, 9))
  t.notOk(heard.hear(1, 5))
  t.ok(heard.hear(1, 9))
  t.ok(heard.isHole(1, 11))
})

t.test('remembers a bounded number of nodes', async t => {
  const heard = new Heard()
  for (let node = 0; node < 1001; node++) heard.hear(node, 5)
  t.ok(heard.hear(0, 5), 'the oldest is forgotten')
  t.notOk(heard.hear(1000, 5))
})
