// The tables in src/README.md, and in the READMEs of the entry points that have a folder, are the map of the house: this holds
// them against the imports.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import t from 'tap'

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts')).map(file => file.replaceAll('\\', '/'))
// Entry points stand above the core.
const ENTRY_POINTS = ['pubsub', 'messages', 'asyncapi']
const maps = [...ENTRY_POINTS.map(folder => `src/${folder}/README.md`), 'src/README.md']
const rows = new Map(maps.map(map => readFileSync(map, 'utf8')).join('\n').split('\n').flatMap(line => {
  const [, file, imports = ''] = /^\| `([\w/-]+\.ts)` \| ([^|]*)\|/.exec(line) ?? []
  return file === undefined ? [] : [[file, [...imports.matchAll(/`([\w/-]+)`/g)].map(match => `${match[1]}.ts`)] as const]
}))
const order = [...rows.keys()]

t.test('every source file is a row of the table, and every row a file', async t => {
  t.same([...order].sort(), [...files].sort())
})

for (const file of files) {
  t.test(`${file} imports what its row says, all of it further down`, async t => {
    const imports = importsOf(file)
    t.same([...imports].sort(), [...rows.get(file) ?? []].sort())
    for (const imported of imports) {
      t.ok(order.indexOf(imported) > order.indexOf(file), `${imported} stands below ${file}`)
      if (!file.startsWith('extras/')) t.notOk(imported.startsWith('extras/'), 'the core imports no extra')
      for (const folder of ENTRY_POINTS) if (!file.startsWith(`${folder}/`)) t.notOk(imported.startsWith(`${folder}/`), 'nor an entry point')
    }
  })

  t.test(`${file} has a test file of its own`, async t => {
    t.ok(existsSync(`test/${file.replace(/\.ts$/, '.test.ts')}`))
  })
}

function importsOf (file: string): string[] {
  const source = readFileSync(`src/${file}`, 'utf8')
  const paths = [...source.matchAll(/^(?:import|export) (?!type\b)[^']*'(\.[^']+)'/gm)].map(match => String(match[1]))
  return paths.map(path => posix.join(posix.dirname(file), path)).filter(path => !path.startsWith('..')).map(fileOf)
}

// A folder is imported by its index.
function fileOf (path: string): string {
  return existsSync(`src/${path}.ts`) ? `${path}.ts` : `${path}/index.ts`
}
