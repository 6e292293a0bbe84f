import t from 'tap'
import { Ticks } from '../../src/pubsub/ticks'

t.test('ends a tick when the code that runs has run, for all that wait for it, and once', async t => {
  const ticks = new Ticks()
  const { root } = ticks
  const order: string[] = []
  for (const name of ['first', 'second']) ticks.await({ endTick () { order.push(name) } })
  t.same(order, [])
  t.equal(ticks.root, root)
  await new Promise(resolve => { process.nextTick(resolve) })
  t.same(order, ['first', 'second'])
  t.not(ticks.root, root)

  ticks.await({ endTick () { order.push('third') } })
  await new Promise(resolve => { process.nextTick(resolve) })
  t.same(order, ['first', 'second', 'third'])
})
