import t from 'tap'
import { symbolOf } from '../src/internals'

t.test('finds a symbol by its name, on the object or above it', async t => {
  const there = Symbol('there')
  const above = { [there]: 1 }

  t.equal(symbolOf(above, 'there'), there)
  t.equal(symbolOf(Object.create(above), 'there'), there)
  t.equal(symbolOf(above, 'elsewhere'), undefined)
  t.equal(symbolOf(Object.create(null), 'there'), undefined)
})
