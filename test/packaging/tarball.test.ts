import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { pack, PACKAGING_LIMIT, readManifest, root, run } from './package'

t.setTimeout(PACKAGING_LIMIT)

t.test('the tarball holds only what a user needs, and each source file built', async t => {
  const { files } = await pack(t)
  const sources = await list('src', '.ts')
  const declarations = await list('types', '.d.ts')
  t.same(files, [
    'LICENSE',
    'README.md',
    'package.json',
    ...sources.map(name => `dist/${name.replace(/\.ts$/, '.js')}`),
    ...declarations.map(name => `types/${name}`)
  ].sort())
})

t.test('every entry point of the package is in the tarball', async t => {
  const { files } = await pack(t)
  const manifest = await readManifest(root)
  const targets = pathsIn([manifest.main, manifest.types, manifest.exports, manifest.typesVersions])
  t.ok(targets.length > 0)
  for (const target of targets) t.ok(files.includes(target), target)
})

t.test('publint has nothing to say about the tarball', async t => {
  const { publint } = await import('publint')
  const { formatMessage } = await import('publint/utils')
  const tarball = await readFile((await pack(t)).path)
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(tarball).buffer }, level: 'suggestion', strict: true })
  t.same(messages.map(message => formatMessage(message, pkg)), [])
})

t.test('are the types wrong? they are not, for any way to import any entry point', async t => {
  const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
  const report = await run(process.execPath, [attw, (await pack(t)).path, '--format', 'ascii', '--no-emoji', '--no-color'], root)
  t.match(report, 'No problems found')
  t.match(report, 'fastify-wss/testing')
})

async function list (folder: string, extension: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true })
  return entries.filter(name => name.endsWith(extension)).map(name => name.replaceAll('\\', '/'))
}

function pathsIn (field: unknown): string[] {
  if (typeof field === 'string') return [field.replace(/^\.\//, '')]
  return Object.values(field as Record<string, unknown>).flatMap(pathsIn)
}
