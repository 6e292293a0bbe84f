import t from 'tap'
import type { Validator } from '../../src/messages/compilers'
import { createValidate } from '../../src/messages/validation'
import { Leave, Say } from '../helpers/messages'

const nothing = (): undefined => {}
const found = [{ keyword: 'type', instancePath: '/text', schemaPath: '', params: {}, message: 'must be string' }]

function validateBy (validator: (value: unknown) => unknown, errors?: unknown): (value: unknown) => unknown {
  return createValidate({}, () => Object.assign(validator, { errors }) as Validator, nothing)
}

const VALUE = { text: 1 }

t.test('whatever a validator gives that is no fault, the value is valid', async t => {
  for (const result of [true, undefined, null, 1, {}, { error: null }, { error: undefined }]) {
    t.equal(validateBy(() => result)(VALUE), VALUE)
    t.equal(await validateBy(async () => result)(VALUE), VALUE)
  }
})

t.test('another value takes its place', async t => {
  t.strictSame(validateBy(() => ({ value: 'other' }))(VALUE), 'other')
  t.strictSame(await validateBy(async () => ({ value: null }))(VALUE), null)
})

t.test('every way to say what is wrong is understood', async t => {
  const expected = { code: 'FST_WS_MESSAGES_INVALID', message: 'message/text must be string', closeCode: 1008 }
  const ways: Array<(value: unknown) => unknown> = [
    () => false,
    () => ({ error: found }),
    () => { throw Object.assign(new Error('validation failed'), { errors: found }) }
  ]
  for (const way of ways) {
    t.throws(() => validateBy(way, found)(VALUE), expected)
    await t.rejects(Promise.resolve(validateBy(async value => way(value), found)(VALUE)), expected)
  }
  t.throws(() => validateBy(() => ({ error: new Error('no') }))(VALUE), { message: 'message no' })
})

t.test('of a union the branch that is meant is asked', async t => {
  const asked: unknown[] = []
  const validate = createValidate({ anyOf: [Say, Leave] }, schema => {
    return (() => { asked.push(schema) }) as unknown as Validator
  }, nothing)
  const value = { type: 'leave' }
  t.equal(validate(value), value)
  t.strictSame(asked, [Leave])
  t.throws(() => validate({ type: 'go' }), { code: 'FST_WS_MESSAGES_INVALID', message: 'message/type must be one of "say", "leave"', closeCode: 1008 })
})
