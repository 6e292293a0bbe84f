// npm run test:nodes: the suite on other Node versions, from the registry's packages of Node itself.
//
//   npm run test:nodes                    every version, every test
//   npm run test:nodes -- 24 26           some versions
//   npm run test:nodes -- 24 --core       what leans on Node: every way in, and each undocumented part (src/README.md)
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

const VERSIONS = ['20', '22', '24', '26']
const CORE = /^(ways|helpers)\/|^suites\/http2(-clients)?\.|^(async-context|beneath|connections|handshake|http2-client|inject|memory|own-routes|progress|ready|route|signal)\.test/

const args = process.argv.slice(2)
const asked = args.filter(arg => /^\d+$/.test(arg))
const files = readdirSync('test', { recursive: true })
  .filter(file => file.endsWith('.test.ts') && (CORE.test(file) || !args.includes('--core')))
  .map(file => join('test', file))

const results = (asked.length > 0 ? asked : VERSIONS).map(version => ({ version, ...runOn(version) }))
for (const { version, name, status, summary } of results) console.log(`Node ${version} (${name}): ${status === 0 ? 'passed' : 'FAILED'} ${summary}`)
process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1

function runOn (version) {
  const bin = install(version)
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  const name = spawnSync('node', ['--version'], { env, encoding: 'utf8' }).stdout.trim()
  console.log(`\nNode ${version}: ${name}`)
  if (!name.startsWith(`v${version}.`)) return { name, status: 1, summary: 'this is another version: its package was not installed' }
  // Coverage is judged on the version that npm test runs on.
  const { status, stdout } = spawnSync('node', ['node_modules/tap/dist/esm/run.mjs', 'run', '--disable-coverage', '--reporter=tap', ...files], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 28 })
  if (status !== 0) console.log(stdout)
  return { name, status, summary: /# \{ total: .*/.exec(stdout)?.[0] ?? 'without a summary' }
}

function install (version) {
  const folder = resolve('.nodes', version)
  const bin = join(folder, `node_modules/node-${process.platform}-${process.arch}/bin`)
  if (!existsSync(bin)) {
    spawnSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--no-save', `node-${process.platform}-${process.arch}@${version}`], { stdio: 'inherit' })
  }
  return bin
}
