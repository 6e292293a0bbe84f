// The tests and type tests that @fastify/websocket ships in its package, as they are installed, with our package in the place
// of theirs. The numbers are asserted: one that no longer runs is not one that passes.

import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { PACKAGING_LIMIT, root, run } from '../packaging/package'

const TESTS = 66
const TYPE_ASSERTIONS = 81
const reference = join(root, 'node_modules/fastify-websocket-reference')

t.setTimeout(PACKAGING_LIMIT)

// In this repository, so that they find its node_modules.
const folder = t.testdir()

t.before(async () => {
  // Of the types those of the main entry point: here, other than in node_modules, all that are there would be taken for imported.
  for (const ours of ['package.json', 'dist', 'types/index.d.ts']) await cp(join(root, ours), join(folder, ours), { recursive: true })
  for (const theirs of ['test', 'tsconfig.json', 'types/index.tst.ts']) await cp(join(reference, theirs), join(folder, theirs), { recursive: true })
})

t.test('we pass every test of @fastify/websocket', async t => {
  const files = (await readdir(join(folder, 'test'))).map(file => join('test', file))
  // tap would put its loaders into NODE_OPTIONS: they are none of what is tested.
  const node = ['-u', 'NODE_OPTIONS', process.execPath, '--test', '--test-reporter=tap', ...files]
  const results = await t.spawn('env', node, { cwd: folder }, 'node --test')
  t.match(results, { count: TESTS, skip: 0, todo: 0 })
})

t.test('our types pass every type test of @fastify/websocket', async t => {
  const output = await run('env', ['NO_COLOR=1', join(root, 'node_modules/.bin/tstyche')], folder)
  t.match(output, `Assertions: ${TYPE_ASSERTIONS} passed, ${TYPE_ASSERTIONS} total`)
})
