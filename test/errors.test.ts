// docs/errors.md lists every code, and no code that does not exist.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import * as errors from '../src/errors'

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts')).map(file => readFileSync(`src/${file}`, 'utf8'))
const inSource = new Set(sources.flatMap(source => [...source.matchAll(/\bFST_WS_[A-Z_]+/g)].map(([code]) => code)))
const inDocs = new Set([...readFileSync('docs/errors.md', 'utf8').matchAll(/^#+ `?(FST_WS_[A-Z_]+)/gm)].map(([, code]) => code))

t.test('every code has its section in docs/errors.md, and every section its code', async t => {
  t.same([...inDocs].sort(), [...inSource].sort())
})

t.test('every error carries the code that it is exported as', async t => {
  for (const [name, ErrorClass] of Object.entries(errors)) {
    const error = Reflect.construct(ErrorClass, ['x', 'y'])
    t.equal(error.code, name)
    t.ok(error instanceof Error)
  }
})

// A user of either plugin compares what it throws with an error of his own.
const AS_THE_REFERENCE: Array<[Error, Error]> = [
  [new errors.FST_WS_INVALID_ERROR_HANDLER(), new Error('invalid errorHandler function')],
  [new errors.FST_WS_INVALID_PRE_CLOSE(), new Error('invalid preClose function')],
  [new errors.FST_WS_NO_SERVER(), new Error("fastify-websocket doesn't support the ws noServer option. If you want to create a websocket server detatched from fastify, use the ws library directly.")],
  [new errors.FST_WS_INVALID_METHOD(), new Error('websocket handler can only be declared in GET method')],
  [new errors.FST_WS_INVALID_HANDLER(), new TypeError('invalid wsHandler function')],
  [new errors.FST_WS_INJECT_REFUSED({ statusCode: 401, headers: { a: 'b' }, body: 'no' }), new Error('Unexpected server response: 401')]
]

for (const [ours, theirs] of AS_THE_REFERENCE) {
  t.test(`in every comparison it is a plain error: ${theirs.message}`, async t => {
    assert.deepStrictEqual(ours, theirs)
    assert.throws(() => { throw ours }, theirs)
    t.strictSame(ours, theirs)
    t.equal(Object.getPrototypeOf(ours), Object.getPrototypeOf(theirs))
    t.equal(ours.name, theirs.name)
    t.equal(String(ours), String(theirs))
    t.equal(ours.stack?.split('\n')[0], theirs.stack?.split('\n')[0])
    t.match(ours.stack?.split('\n')[1], /errors\.test\.ts/, 'the stack begins where it was made')
    t.same(Object.keys(ours), [])
  })
}

t.test('the response of a refusal is there to be read', async t => {
  const error = new errors.FST_WS_INJECT_REFUSED({ statusCode: 401, headers: { a: 'b' }, body: 'no' })
  t.match(error, { code: 'FST_WS_INJECT_REFUSED', statusCode: 401, headers: { a: 'b' }, body: 'no' })
})
