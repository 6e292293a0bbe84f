import t from 'tap'
import { memory } from '../../src/pubsub/memory'
import { checkFlag, checkTopic, readOptions } from '../../src/pubsub/options'
import type { Engine } from '../../types/pubsub'
import { Bus } from '../helpers/bus'

t.test('knows what is meant where nothing is said', async t => {
  const { engine, ...settings } = readOptions({})
  t.match(engine, { name: 'memory', alone: true })
  t.same(settings, {
    onSubscribe: undefined,
    onGap: undefined,
    serialize: undefined,
    slowConsumer: { maxBufferedAmount: 1024 * 1024, grace: 3000, hardLimit: 16 * 1024 * 1024, action: 'close' },
    compression: { threshold: 1024, limit: 65536 },
    maxPayload: 1024 * 1024,
    timeout: 5000,
    linger: 1000
  })
})

t.test('takes what is said, and leaves Fastify its own', async t => {
  const engine = new Bus().engine({ history: true })
  const given = { engine, onSubscribe () {}, onGap () {}, serialize: () => '', slowConsumer: false, compress: { limit: 5 }, maxPayload: 5, timeout: 6, linger: 7, prefix: '/x' } as const
  t.match(readOptions(given), { engine, slowConsumer: undefined, compression: { threshold: 1024, limit: 5 }, maxPayload: 5, timeout: 6, linger: 7 })
  t.equal(readOptions({ compress: false }).compression, undefined)
})

t.test('refuses what makes no sense', async t => {
  const bad: Array<[object, RegExp]> = [
    [{ engine: {} }, /the option engine must be an engine, such as redis\(\{ client \}\)/],
    [{ engine: 'redis' }, /engine must be an engine/],
    [{ engine: { ...new Bus().engine(), ...methods, alone: true, history: {} } }, /engine cannot have a history and be alone/],
    [{ engine: { ...methods, name: 'x', ordering: 'local', history: {} } }, /engine has to have the ordering 'engine'/],
    [{ onSubscribe: true }, /onSubscribe must be a function/],
    [{ onGap: 5 }, /onGap must be a function/],
    [{ serialize: 'json' }, /serialize must be a function/],
    [{ slowConsumer: 5 }, /slowConsumer must be an object, or true or false/],
    [{ compress: { threshold: 'x' } }, /compress\.threshold must be a number of bytes/],
    [{ compress: { limit: -1 } }, /compress\.limit must be a number of bytes/],
    [{ compress: { level: 1 } }, /compress\.level is not known/],
    [{ maxPayload: 0 }, /maxPayload must be a whole number above 0/],
    [{ timeout: -1 }, /timeout must be a number of milliseconds/],
    [{ linger: '1s' }, /linger must be a number of milliseconds/],
    [{ onsubscribe () {} }, /pubsub\.onsubscribe is not known/]
  ]
  for (const [options, message] of bad) t.throws(() => readOptions(options), { code: 'FST_WS_INVALID_OPTION', message })
})

const methods = { start () {}, async subscribe () {}, async unsubscribe () {}, async publish () { return 1 }, async close () {} } as unknown as Engine

t.test('a topic is a string of 1 to 1024 bytes', async t => {
  for (const topic of ['a', ' ', '*', '#', '\0', 'ü'.repeat(512), '\u{1f600}']) t.doesNotThrow(() => checkTopic(topic))
  for (const topic of ['', 'a'.repeat(1025), 'ü'.repeat(513), '\ud800', 'a\udc00', 5, null, undefined, {}, ['a'], Symbol('x')]) {
    t.throws(() => checkTopic(topic), { code: 'FST_WS_PUBSUB_INVALID_TOPIC', statusCode: 400 })
  }
})

t.test('a flag is a boolean, or not set', async t => {
  for (const value of [true, false, undefined]) t.doesNotThrow(() => checkFlag('local', value))
  t.throws(() => checkFlag('local', 'yes'), { code: 'FST_WS_INVALID_OPTION' })
})

t.test('memory is an engine', async t => {
  t.equal(readOptions({ engine: memory() }).engine.name, 'memory')
})
