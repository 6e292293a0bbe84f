// That the benchmark runs, from end to end. It judges no times: those of a busy machine mean nothing.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)

t.setTimeout(120_000)

t.test('npm run bench -- --quick measures every contestant within a minute and writes results and chart', async t => {
  const directory = t.testdir()
  // tap puts its loaders into NODE_OPTIONS at every spawn, whatever the environment given: they would be measured too.
  const { stdout } = await run('env', ['-u', 'NODE_OPTIONS', 'npm', 'run', 'bench', '--silent', '--', '--quick', '--out', directory], { timeout: 60_000 })

  const { machine, summary } = JSON.parse(readFileSync(join(directory, 'results.json'), 'utf8'))
  t.equal(machine.Node, process.version)
  const bars: Array<{ key: string, control: string, contestants: Record<string, { ratio: number }> }> = summary.filter(({ bar }: { bar?: number }) => bar)
  t.same(bars.map(({ key }) => key), ['heap', 'upgrade', 'upgradeLogged', 'get', 'echo 32 B', 'echo 1 KB', 'echo 64 KB', 'inject'])
  for (const { key, control, contestants } of bars) {
    t.equal(contestants[control]?.ratio, 1, `the control of ${key}`)
    t.ok(Number.isFinite(contestants['ours']?.ratio), `our ${key}`)
    t.ok(Number.isFinite(contestants['reference']?.ratio), `the reference's ${key}`)
  }

  t.match(stdout, 'heap per idle connection (B), the bar: at most 1.05')
  t.match(readFileSync(join(directory, 'bench.svg'), 'utf8'), /^<svg [^]*prefers-color-scheme: dark[^]*<\/svg>\n$/)
})
