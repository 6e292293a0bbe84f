import { execFile } from 'node:child_process'
import { join, relative, sep } from 'node:path'
import t from 'tap'
import { LIMIT } from '../helpers/limit'

const root = join(__dirname, '../..')

t.setTimeout(24 * LIMIT)

t.test('the types hold what their users write, and what they must refuse', async t => {
  const { problems, files } = await compile('tsconfig.json')
  t.same(problems, [])
  t.ok(files.includes('types/index.d.ts'))
  t.ok(files.includes('test/types/additions.ts'))
})

t.test('so do those of pub/sub, which add to the sockets of handlers', async t => {
  const { problems, files } = await compile('pubsub/tsconfig.json')
  t.same(problems, [])
  t.ok(files.includes('types/pubsub.d.ts'))
})

t.test('so do those of messages, by TypeBox, Zod, JSON schemas and generics, and beside those of pub/sub', async t => {
  const { problems, files } = await compile('messages/tsconfig.json')
  t.same(problems, [])
  t.ok(files.includes('types/messages.d.ts'))
  t.ok(files.includes('test/types/messages/zod.mts'))
})

t.test('so do those of AsyncAPI, beside those of @fastify/swagger', async t => {
  const { problems, files } = await compile('asyncapi/tsconfig.json')
  t.same(problems, [])
  t.ok(files.includes('types/asyncapi.d.ts'))
  t.ok(files.includes('node_modules/@fastify/swagger/types/index.d.ts'))
})

t.test('the same code compiles with the same types against @fastify/websocket', async t => {
  const { problems, files } = await compile('tsconfig.reference.json')
  t.same(problems, [])
  t.ok(files.includes('test/types/usage.ts'))
  t.ok(files.includes('node_modules/fastify-websocket-reference/types/index.d.ts'))
  t.notOk(files.includes('types/index.d.ts'))
})

/** What tsc has to say about a project of this folder, and the files it read, relative to the root. */
function compile (project: string): Promise<{ problems: string[], files: string[] }> {
  const tsc = join(root, 'node_modules/typescript-7/bin/tsc')
  const args = [tsc, '-p', join(__dirname, project), '--pretty', 'false', '--listFiles']
  return new Promise(resolve => {
    // tap puts its loaders into NODE_OPTIONS at every spawn.
    execFile('env', ['-u', 'NODE_OPTIONS', process.execPath, ...args], { cwd: root, maxBuffer: 2 ** 26 }, (_failure, stdout, stderr) => {
      const lines = (stdout + stderr).split('\n').filter(line => line !== '')
      const isFile = (line: string): boolean => line.startsWith(root.split(sep).join('/'))
      resolve({
        problems: lines.filter(line => !isFile(line)),
        files: lines.filter(isFile).map(line => relative(root, line).split(sep).join('/'))
      })
    })
  })
}
