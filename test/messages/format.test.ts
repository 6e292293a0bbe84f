import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import fastify, { type FastifyRequest, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { compilersOf, type Compilers } from '../../src/messages/compilers'
import { createFormat, createSerialize, type Format } from '../../src/messages/format'
import type { MessageCodec, MessagesSchema } from '../../types/messages'
import { Leave, Said, Say, typed } from '../helpers/messages'

interface Options {
  codec?: MessageCodec
  fastify?: FastifyServerOptions
  schemas?: object[]
}

async function make (t: Test, schemas: MessagesSchema, { codec, fastify: options = {}, schemas: shared = [] }: Options = {}): Promise<Format> {
  const app = fastify(options)
  t.teardown(() => app.close())
  for (const schema of shared) app.addSchema(schema)
  await app.ready()
  return createFormat(app, schemas, codec, compilersOf(app, { method: 'GET', url: '/' }), '/')
}

const bytes = (value: string): Buffer => Buffer.from(value)

t.test('messages are JSON text without schemas', async t => {
  const format = await make(t, {})
  t.match(format, { isBinary: false, isJson: true, hasReply: false, validate: undefined })
  t.strictSame(format.decode(bytes('{"a":[1]}')), { a: [1] })
  t.equal(format.encode({ a: [1] }), '{"a":[1]}')
  t.equal(format.encodeAny({ a: [1] }), '{"a":[1]}')
  t.equal((await make(t, { reply: true })).hasReply, true)
})

t.test('what is no JSON is no message, and neither is what would reach for prototypes', async t => {
  const { decode } = await make(t, {})
  for (const text of ['', 'hello', '{', '{"__proto__":{}}', '{"constructor":{"prototype":{}}}', '{"a":{"__proto__":1}}']) {
    t.throws(() => decode(bytes(text)), { code: 'FST_WS_MESSAGES_INVALID', message: 'message is not JSON', closeCode: 1007 }, text)
  }
  const lenient = await make(t, {}, { fastify: { onProtoPoisoning: 'remove', onConstructorPoisoning: 'ignore' } })
  t.strictSame(lenient.decode(bytes('{"a":1,"__proto__":{"b":1}}')), { a: 1 })
})

t.test('Fastify\'s own parser of bodies would say the same of any text', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  const { decode } = await make(t, {})
  const parse = app.getDefaultJsonParser('error', 'error')
  const outcome = (parse: () => unknown): unknown => {
    try {
      return parse()
    } catch {
      return 'refused'
    }
  }
  const letter = (each: string): fc.Arbitrary<string> => {
    const code = each.charCodeAt(0).toString(16).padStart(4, '0')
    return fc.constantFrom(each, each, each, `\\u${code}`, `\\u${code.toUpperCase()}`)
  }
  const name = fc.constantFrom('__proto__', 'constructor', 'prototype', 'text').chain(word => fc.tuple(...[...word].map(letter))).map(letters => letters.join(''))
  const member = fc.tuple(name, fc.constantFrom('', ' ', '\n'), fc.oneof(fc.json(), name.map(each => `{"${each}":1}`), name.map(each => `"${each}"`)))
  const text = fc.tuple(fc.constantFrom('', '', '\ufeff', ' '), fc.array(member, { maxLength: 3 }), fc.constantFrom('}', '}', '')).map(([start, members, end]) => {
    return `${start}{${members.map(([name, space, value]) => `"${name}"${space}:${value}`).join()}${end}`
  })
  fc.assert(fc.property(text, text => {
    const expected = outcome(() => {
      let value: unknown
      parse({} as FastifyRequest, text, (error, parsed) => {
        if (error !== null) throw error
        value = parsed
      })
      return value
    })
    return isDeepStrictEqual(outcome(() => decode(bytes(text))), expected)
  }), { numRuns: 3000 })
})

t.test('text that is nested deeply is decoded, and against its schema if need be', async t => {
  const { decode, validate } = await make(t, { receive: { $ref: 'tree#' } }, { schemas: [{ $id: 'tree', type: 'array', items: { $ref: 'tree#' } }] })
  const deep = decode(bytes('['.repeat(100_000) + ']'.repeat(100_000)))
  t.throws(() => validate?.(deep), { code: 'FST_WS_MESSAGES_INVALID', closeCode: 1008 })
  t.doesNotThrow(() => validate?.([[], [[]]]))
})

t.test('schemas say what is valid and what goes out', async t => {
  const { validate, encode } = await make(t, { receive: { anyOf: [Say, Leave] }, send: { anyOf: [Said, typed('left')] } })
  t.strictSame(validate?.({ type: 'say', text: 'hi' }), { type: 'say', text: 'hi' })
  t.throws(() => validate?.({ type: 'say', text: 'x'.repeat(21) }), { message: 'message/text must NOT have more than 20 characters' })
  t.throws(() => validate?.({ type: 'say' }), { message: "message must have required property 'text'" })
  t.equal(encode({ type: 'said', text: 'hi', secret: 1 }), '{"type":"said","text":"hi"}')
  t.throws(() => encode({ type: 'sung' }), { code: 'FST_WS_MESSAGES_UNSERIALIZABLE', message: 'the message cannot be sent: message/type must be one of "said", "left"' })
})

t.test('no other branch coerces or strips a message first', async t => {
  const { validate } = await make(t, { receive: { anyOf: [typed('a', { n: { type: 'number' } }), typed('b', { n: { type: 'string' }, m: { type: 'string' } })] } })
  t.strictSame(validate?.({ type: 'b', n: '1', m: 'x' }), { type: 'b', n: '1', m: 'x' })
  t.strictSame(validate?.({ type: 'a', n: '1', m: 'x' }), { type: 'a', n: 1 })
})

t.test('a string against a maxLength is refused whatever its length, and not repeated', async t => {
  const { validate } = await make(t, { receive: Say })
  t.throws(() => validate?.({ type: 'say', text: 'x'.repeat(1024 * 1024) }), { message: 'message/text must NOT have more than 20 characters' })
})

t.test('what cannot be encoded is an error of the application', async t => {
  const { encode } = await make(t, {})
  const circular: Record<string, unknown> = {}
  circular.self = circular
  for (const message of [circular, 1n]) t.throws(() => encode(message), { code: 'FST_WS_MESSAGES_UNSERIALIZABLE', cause: TypeError })
  for (const message of [undefined, () => {}]) t.throws(() => encode(message), { message: 'the message cannot be sent: it became undefined' })
  const thrown = await make(t, {}, { codec: { binary: false, decode: () => 1, encode: () => { throw 'a string' } } }) // eslint-disable-line no-throw-literal
  t.throws(() => thrown.encode(1), { message: 'the message cannot be sent: a string' })
})

t.test('a codec takes the place of JSON, and its schemas are compiled all the same', async t => {
  const codec: MessageCodec = { binary: true, decode: data => data.readUInt8(), encode: value => Uint8Array.of(value) }
  const format = await make(t, { receive: { type: 'number', maximum: 9 }, send: { type: 'number' } }, { codec })
  t.match(format, { isBinary: true, isJson: false })
  t.equal(format.decode(Buffer.of(7)), 7)
  t.throws(() => format.validate?.(10), { message: 'message must be <= 9' })
  t.strictSame(format.encode(7), Uint8Array.of(7))
  t.strictSame(format.encodeAny(7), Uint8Array.of(7))
  await t.rejects(make(t, { send: { type: 'nonsense' } }, { codec }), { code: 'FST_WS_MESSAGES_INVALID_SCHEMA' })
})

t.test('an invalid schema is an error that names its place', async t => {
  await t.rejects(make(t, { receive: { type: 'nonsense' } }), { code: 'FST_WS_MESSAGES_INVALID_SCHEMA', message: /^the schema of the messages receive of \/: schema is invalid/ })
  await t.rejects(make(t, { receive: { anyOf: [Say, { $ref: 'unknown#' }] } }), { message: /receive of \/: .*unknown/ })
  await t.rejects(make(t, { send: { type: 'nonsense' } }), { message: /^the schema of the messages send of \/: / })
  const compilers = { serializer: () => { throw 'a string' } } as unknown as Compilers // eslint-disable-line no-throw-literal
  t.throws(() => createSerialize(fastify(), {}, compilers, 'here'), { message: 'the schema of the messages here: a string' })
})
