import t from 'tap'
import type { RouteOptions } from 'fastify'
import { readDeclaration, readOptions } from '../../src/messages/options'
import type { MessagesOptions } from '../../types/messages'
import { schema } from '../helpers/messages'

const defaults = readOptions({})
const codec = { binary: true, decode: () => 1, encode: () => '' }

function declare (options: object): ReturnType<typeof readDeclaration> {
  return readDeclaration({ method: 'GET', url: '/', handler: () => {}, ...options } as RouteOptions, defaults)
}

t.test('what is not set is as the documentation has it', async t => {
  t.strictSame(defaults, { codec: undefined, invalid: 'close', concurrency: 1, maxBufferedAmount: 1024 * 1024, grace: 60_000 })
  t.strictSame(readOptions({ codec: null, invalid: null, concurrency: null, maxBufferedAmount: null, grace: null }), defaults)
  t.strictSame(readOptions({ prefix: '/x', logLevel: 'info', logSerializers: {} } as MessagesOptions), defaults)
})

t.test('a route wins over the registration, option by option', async t => {
  const set = { codec, invalid: 'drop', concurrency: 3, maxBufferedAmount: 0, grace: 5 } as const
  t.strictSame(readOptions(set), set)
  t.strictSame(readDeclaration({ method: 'GET', url: '/', handler: () => {}, messages: { invalid: 'reply' }, schema }, readOptions(set))?.settings, { ...set, invalid: 'reply' })
  const unset = { codec: null, invalid: null, concurrency: null, maxBufferedAmount: null, grace: null }
  t.strictSame(readDeclaration({ method: 'GET', url: '/', handler: () => {}, messages: unset, schema }, readOptions(set))?.settings, defaults, 'and takes it back by null')
})

t.test('a route takes part that has a schema of messages, or options of them, or onMessage', async t => {
  t.equal(declare({}), undefined)
  t.equal(declare({ schema: {} }), undefined)
  t.equal(declare({ schema: { messages: null }, messages: null, onMessage: null }), undefined)
  const nothing = { receive: undefined, send: undefined, reply: false }
  t.strictSame(declare({ messages: {} }), { schemas: nothing, settings: defaults, onMessage: undefined })
  const onMessage = (): void => {}
  t.strictSame(declare({ onMessage }), { schemas: nothing, settings: defaults, onMessage })
  t.strictSame(declare({ schema: { messages: {} } })?.schemas, nothing)
  t.strictSame(declare({ schema })?.schemas, { ...schema.messages, reply: false })
  t.strictSame(declare({ schema: { messages: { reply: true } } })?.schemas, { ...nothing, reply: true })
})

const wrong: Array<[options: object, message: RegExp]> = [
  [{ invalid: 'ignore' }, /invalid must be 'close', 'reply', 'drop' or a function/],
  [{ concurrency: 0 }, /concurrency must be a whole number above 0/],
  [{ maxBufferedAmount: -1 }, /maxBufferedAmount must be a number of bytes/],
  [{ grace: 0 }, /grace must be a number of milliseconds/],
  [{ codec: 'json' }, /codec must be an object with binary/],
  [{ codec: { ...codec, binary: 'yes' } }, /codec must be/],
  [{ codec: { ...codec, decode: undefined } }, /codec must be/],
  [{ codec: { ...codec, encode: undefined } }, /codec must be/],
  [{ codecs: codec }, /codecs is not known; there are codec, invalid/]
]

for (const [options, message] of wrong) {
  t.test(`an option that is wrong is named: ${message.source}`, async t => {
    t.throws(() => readOptions(options), { code: 'FST_WS_INVALID_OPTION', message })
    t.throws(() => declare({ messages: options }), { code: 'FST_WS_INVALID_OPTION', message })
  })
}

t.test('so is what a route declares', async t => {
  t.throws(() => declare({ onMessage: 'yes' }), { code: 'FST_WS_INVALID_OPTION', message: /onMessage must be a function/ })
  t.throws(() => declare({ messages: [] }), { message: /messages must be an object/ })
  t.throws(() => declare({ schema: { messages: [] } }), { message: /schema\.messages must be an object/ })
  t.throws(() => declare({ schema: { messages: { received: {} } } }), { message: /schema\.messages\.received is not known; there are receive, send, reply/ })
  t.throws(() => declare({ schema: { messages: { receive: 'Say#' } } }), { message: /schema\.messages\.receive must be an object/ })
  t.throws(() => declare({ schema: { messages: { send: 1 } } }), { message: /schema\.messages\.send must be an object/ })
  t.throws(() => declare({ schema: { messages: { reply: 'yes' } } }), { message: /schema\.messages\.reply must be a boolean/ })
})
