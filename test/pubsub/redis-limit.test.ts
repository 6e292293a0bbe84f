import t from 'tap'
import { answered, delayOf } from '../../src/pubsub/redis-limit'

t.test('gives what comes in time, and its error', async t => {
  t.equal(await answered(Promise.resolve(1), 10_000, t.fail), 1)
  await t.rejects(answered(Promise.reject(new Error('NOPERM')), 10_000, t.fail), /NOPERM/)
})

t.test('rejects once the time is over, and tells of it; what comes later is nobody\'s', async t => {
  const told: Error[] = []
  let refuse: (error: Error) => void = () => {}
  const answer = new Promise((_resolve, reject) => { refuse = reject })
  // Cutting the connection is what rejects the answer.
  await t.rejects(answered(answer, 10, error => {
    told.push(error)
    refuse(new Error('cut'))
  }), /no answer within 10 ms/)
  t.match(told, [/no answer within 10 ms/])
})

t.test('connects again soon, and then less often', t => {
  t.same([0, 1, 2, 100].map(delayOf), [50, 100, 150, 1000])
  t.end()
})
