import t from 'tap'
import { seal, unseal } from '../../src/messages/envelope'
import type { Format } from '../../src/messages/format'

const json = { isJson: true, encode: JSON.stringify } as unknown as Format
const other = { isJson: false, encode: (value: unknown) => Buffer.from(JSON.stringify(value)) } as unknown as Format

t.test('the ids of a message are taken off it', async t => {
  t.strictSame(unseal({ type: 'ask', requestId: 'a' }), { value: { type: 'ask' }, requestId: 'a', replyTo: undefined })
  t.strictSame(unseal({ replyTo: 1 }), { value: {}, requestId: undefined, replyTo: 1 })
  t.strictSame(unseal({ requestId: '😀'.repeat(32), replyTo: 0 }), { value: {}, requestId: '😀'.repeat(32), replyTo: 0 })
})

t.test('a message without ids is handed on as it is', async t => {
  for (const value of [{ type: 'say' }, [], ['requestId'], null, 'requestId', 1, undefined]) t.equal(unseal(value).value, value)
})

t.test('an id is a number or a short string', async t => {
  for (const id of [null, true, {}, [], 'x'.repeat(65)]) {
    t.throws(() => unseal({ requestId: id }), { code: 'FST_WS_MESSAGES_INVALID', message: 'message/requestId must be a number or a string of at most 64 characters', closeCode: 1008 })
    t.throws(() => unseal({ replyTo: id }), { message: 'message/replyTo must be a number or a string of at most 64 characters' })
  }
})

t.test('an id is put on a message, whatever the codec', async t => {
  t.equal(seal(json, { type: 'ask' }, 'requestId', 'a"b'), '{"requestId":"a\\"b","type":"ask"}')
  t.equal(seal(json, {}, 'replyTo', 7), '{"replyTo":7}')
  t.equal(String(seal(other, { type: 'ask' }, 'replyTo', 'a')), '{"type":"ask","replyTo":"a"}')
  t.strictSame(unseal(JSON.parse(String(seal(json, { a: 1 }, 'requestId', 'x')))), { value: { a: 1 }, requestId: 'x', replyTo: undefined })
})

t.test('only an object can have one', async t => {
  const expected = { code: 'FST_WS_MESSAGES_UNSERIALIZABLE', message: 'the message cannot be sent: only an object can have a replyTo' }
  for (const message of ['text', null, 1, [1], { toJSON: () => 'text' }]) t.throws(() => seal(json, message, 'replyTo', 1), expected)
  t.throws(() => seal(other, [1], 'replyTo', 1), expected)
})
