import t from 'tap'
import { handled, isThenable } from '../src/thenable'

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

t.test('a promise may be left alone, and still tells who waits for it', async t => {
  const rejected = handled(Promise.reject(new Error('why')))
  // An unhandled rejection would fail this file.
  await new Promise(resolve => { setImmediate(resolve) })
  await t.rejects(rejected, { message: 'why' })
  t.equal(await handled(Promise.resolve(1)), 1)
})
