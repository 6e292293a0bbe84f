import t from 'tap'
import { isThenable } from '../src/thenable'

t.test('takes for a promise what await would wait for', async t => {
  class Promised { then (): void {} }

  for (const value of [Promise.resolve(), new Promised(), Object.assign(() => {}, { then () {} })]) {
    t.ok(isThenable(value))
  }
})

t.test('takes nothing else for one', async t => {
  for (const value of [undefined, null, 0, 'then', true, {}, [], () => {}, { then: true }]) {
    t.notOk(isThenable(value))
  }
})
