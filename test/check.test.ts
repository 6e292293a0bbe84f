import t from 'tap'
import { inspect } from 'node:util'
import { BOOLEAN, check, checkKeys, CLOSE_CODE, COUNT, DELAY, fail, FUNCTION, FUNCTION_OR_OFF, OBJECT, readObject, REASON, type Rule, SIZE } from '../src/check'

const rules: Array<[name: string, rule: Rule, good: unknown[], bad: unknown[]]> = [
  ['a function', FUNCTION, [() => {}, class {}], [{}, 'x', true]],
  ['a function or off', FUNCTION_OR_OFF, [() => {}, false], [true, {}, 'x']],
  ['an object', OBJECT, [{}, Object.create(null)], [[], 'x', 5, () => {}]],
  ['a boolean', BOOLEAN, [true, false], [0, 'true', {}]],
  ['a delay', DELAY, [1, 0.5, 2 ** 31 - 1], [0, -1, 2 ** 31, NaN, Infinity, '5s']],
  ['a size', SIZE, [0, 1, 1e12], [-1, NaN, '1mb']],
  ['a count', COUNT, [1, 1000], [0, -1, 1.5, NaN, Infinity, '5']],
  ['a close code', CLOSE_CODE, [1000, 1001, 1011, 1014, 3000, 4999], [999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, '1000']],
  ['a reason', REASON, ['', 'x'.repeat(123)], ['x'.repeat(124), '\u00e9'.repeat(62), 5]]
]
for (const [name, rule, good, bad] of rules) {
  t.test(`knows ${name}`, async t => {
    for (const value of [...good, null, undefined]) t.doesNotThrow(() => check('some.option', value, rule), inspect(value))
    for (const value of bad) t.throws(() => check('some.option', value, rule), { code: 'FST_WS_INVALID_OPTION' }, inspect(value))
  })
}

t.test('names the option, the rule and the value', async t => {
  t.throws(() => check('heartbeat.interval', '30s', DELAY), { message: "the option heartbeat.interval must be a number of milliseconds above 0 and up to 2147483647; it is '30s'" })
  t.throws(() => fail('a.b', 'needs a.c', { deep: { deeper: {} } }), { message: 'the option a.b needs a.c; it is { deep: [Object] }' })
  t.throws(() => checkKeys('a', { b: 1, x: 2 }, ['b', 'c']), { message: 'the option a.x is not known; there are b, c; it is 2' })
  t.doesNotThrow(() => checkKeys('a', { b: 1 }, ['b', 'c']))
})

t.test('reads an option that is an object, or on or off', async t => {
  for (const off of [null, undefined, false]) t.equal(readObject('a', off, ['b']), undefined)
  t.same(readObject('a', true, ['b']), {})
  t.same(readObject('a', { b: 1 }, ['b']), { b: 1 })
  t.throws(() => readObject('a', 5, ['b']), { message: 'the option a must be an object, or true or false; it is 5' })
  t.throws(() => readObject('a', { c: 1 }, ['b']), { message: /the option a\.c is not known/ })
})
