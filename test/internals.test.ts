import Fastify from 'fastify'
import t from 'tap'
import { optionsOf, symbolOf } from '../src/internals'

t.test('finds a symbol by its name, on the object or above it', async t => {
  const there = Symbol('there')
  const above = { [there]: 1 }

  t.equal(symbolOf(above, 'there'), there)
  t.equal(symbolOf(Object.create(above), 'there'), there)
  t.equal(symbolOf(above, 'elsewhere'), undefined)
  t.equal(symbolOf(Object.create(null), 'there'), undefined)
})

t.test('knows what an application was created with, and lives without it', async t => {
  const ajv = { customOptions: { coerceTypes: false } }
  const app = Fastify({ ajv })

  t.match(optionsOf<{ ajv: object }>(app).ajv, ajv)
  t.same(optionsOf(Object.create(null)), {})
})
