import t from 'tap'
import { handled } from '../../src/pubsub/handled'

t.test('a rejection that nobody waits for ends nothing, and whoever waits gets it', async t => {
  let unhandled = 0
  const count = (): void => { unhandled++ }
  process.on('unhandledRejection', count)
  t.teardown(() => { process.off('unhandledRejection', count) })
  const promise = handled(Promise.reject(new Error('mine')))
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(unhandled, 0)
  await t.rejects(promise, { message: 'mine' })
  t.equal(await handled(Promise.resolve(5)), 5)
})
