import t from 'tap'
import { againstSchema, invalid, isInvalid, reasonOf } from '../../src/messages/invalid'

t.test('an invalid message is an error with the close code, and what the validator found', async t => {
  const error = invalid(1007, ' is not JSON')
  t.match(error, { code: 'FST_WS_MESSAGES_INVALID', message: 'message is not JSON', statusCode: 400, closeCode: 1007 })
  t.notOk('validation' in error)
  t.ok(isInvalid(error))
  t.notOk(isInvalid(new Error('message is not JSON')))

  const cause = new Error('why')
  t.equal(invalid(1007, '', { cause }).cause, cause)
})

t.test('what a validator found is told by the place and the rule', async t => {
  const found = { keyword: 'type', instancePath: '/text', schemaPath: '#/properties/text/type', params: {}, message: 'must be string' }
  t.match(againstSchema([found, { ...found, instancePath: '/other' }]), { message: 'message/text must be string', closeCode: 1008, validation: [found, { instancePath: '/other' }] })
  t.match(againstSchema(Object.assign(new Error('validation failed'), { errors: [found] })), { message: 'message/text must be string', validation: [found] })
  t.match(againstSchema([{ keyword: 'false schema' }]), { message: 'message is invalid' })

  const error = new Error('"text" must be a string')
  t.match(againstSchema(error), { message: 'message "text" must be a string', closeCode: 1008, cause: error })
  for (const found of [undefined, null, [], [null], 'no', Object.assign(new Error('is invalid'), { errors: 'many' })]) {
    t.match(againstSchema(found), { message: 'message is invalid', closeCode: 1008 })
  }
})

t.test('a reason fits a close frame, and is whole characters', async t => {
  t.equal(reasonOf(new Error('message must be text')), 'message must be text')
  t.equal(reasonOf(new Error('é'.repeat(61))), 'é'.repeat(61))
  t.equal(reasonOf(new Error('é'.repeat(62))), 'é'.repeat(61))
  t.equal(reasonOf(new Error('a' + '😀'.repeat(40))), 'a' + '😀'.repeat(30))
  t.equal(reasonOf(new Error('x'.repeat(1000))), 'x'.repeat(123))
})
