import t from 'tap'
import { decode, validate } from '../../src/messages/decoding'
import type { Format } from '../../src/messages/format'
import { invalid } from '../../src/messages/invalid'

const format = { isBinary: false, hasReply: false, decode: (bytes: Buffer) => JSON.parse(String(bytes)), validate: undefined } as unknown as Format
const bytes = Buffer.from('{"a":1}')

t.test('a message of the other kind is none', async t => {
  t.throws(() => decode(format, { data: bytes, isBinary: true }), { code: 'FST_WS_MESSAGES_INVALID', message: 'message must be text', closeCode: 1003 })
  t.throws(() => decode({ ...format, isBinary: true }, { data: bytes, isBinary: false }), { message: 'message must be binary', closeCode: 1003 })
})

t.test('bytes are bytes, whatever the binaryType', async t => {
  const isBinary = true
  const binary = { ...format, isBinary }
  const { buffer, byteOffset, length } = bytes
  for (const data of [bytes, buffer.slice(byteOffset, byteOffset + length), [bytes.subarray(0, 3), bytes.subarray(3)], new Blob([bytes])]) {
    t.strictSame(await decode(binary, { data, isBinary }), { value: { a: 1 } })
  }
})

t.test('a codec may take its time, and may fail', async t => {
  const expected = { code: 'FST_WS_MESSAGES_INVALID', message: 'message cannot be decoded', closeCode: 1007 }
  t.strictSame(await decode({ ...format, decode: async () => 'later' }, { data: bytes, isBinary: false }), { value: 'later' })
  t.throws(() => decode(format, { data: Buffer.from('{'), isBinary: false }), { ...expected, cause: SyntaxError })
  await t.rejects(Promise.resolve(decode({ ...format, decode: async () => { throw new Error('later') } }, { data: bytes, isBinary: false })), { ...expected, cause: { message: 'later' } })
})

t.test('a codec may say itself what is wrong', async t => {
  t.throws(() => decode({ ...format, decode: () => { throw invalid(1008, ' is too old') } }, { data: bytes, isBinary: false }), { message: 'message is too old', closeCode: 1008 })
})

t.test('ids are taken off only where replies are allowed', async t => {
  const data = Buffer.from('{"requestId":"a"}')
  t.strictSame(decode(format, { data, isBinary: false }), { value: { requestId: 'a' } })
  t.strictSame(decode({ ...format, hasReply: true }, { data, isBinary: false }), { value: {}, requestId: 'a', replyTo: undefined })
})

t.test('without a schema everything is valid', async t => {
  t.equal(validate(format, { value: 1 }), 1)
  t.equal(validate({ ...format, validate: value => [value] }, { value: 1 })?.toString(), '1')
})
