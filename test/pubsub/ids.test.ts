import t from 'tap'
import fc from 'fast-check'
import { compareIds, isId, START } from '../../src/pubsub/ids'

t.test('tells an id from anything else', async t => {
  for (const id of [START, '0-0', '1700000000000-0', '1700000000000-12', '5']) t.ok(isId(id), id)
  for (const id of ['', '-', '+', '$', '1-', '-1', '1-2-3', ' 1', '1e3', 'x', '9'.repeat(16), 5, undefined, null, ['1']]) t.notOk(isId(id), String(id))
})

t.test('compares them by time, then by number', async t => {
  t.equal(compareIds('5', '5-0'), 0)
  fc.assert(fc.property(fc.nat(), fc.nat(), fc.nat(), fc.nat(), (a, b, c, d) => {
    return Math.sign(compareIds(`${a}-${b}`, `${c}-${d}`)) === Math.sign(a - c || b - d)
  }))
})
