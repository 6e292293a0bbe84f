// docs/errors.md lists every code, and no code that does not exist.

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
