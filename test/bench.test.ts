// That the benchmark runs, from end to end. It judges no times: those of a busy machine mean nothing.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)

t.setTimeout(300_000)

t.test('npm run bench -- --quick measures every contestant within two minutes and writes results and chart', async t => {
  const directory = t.testdir()
  const stdout = await bench('--quick', '--out', directory)

  const { machine, summary } = readResults(directory)
  t.equal(machine.Node, process.version)
  const bars: Array<{ key: string, control: string, subject?: string, contestants: Record<string, { ratio: number }> }> = summary.filter(({ bar }: { bar?: number }) => bar)
  t.same(bars.map(({ key }) => key), ['heap', 'upgrade', 'upgradeLogged', 'get', 'echo 32 B', 'echo 1 KB', 'echo 64 KB', 'TLS rss', 'TLS upgrade', 'TLS echo 32 B', 'heapWithHeartbeat', 'heartbeat', 'message', 'messageInLoop', 'inject'])
  for (const { key, control, subject = 'ours', contestants } of bars) {
    t.equal(contestants[control]?.ratio, 1, `the control of ${key}`)
    t.ok(Number.isFinite(contestants[subject]?.ratio), `our ${key}`)
    t.equal(Number.isFinite(contestants['reference']?.ratio), subject === 'ours', `the reference's ${key}`)
  }
  t.same(Object.keys(summary.find(({ key }: { key: string }) => key === 'policy').contestants), ['ours', 'with heartbeat', 'with idleTimeout', 'with maxLifetime', 'with slowConsumer', 'with messageRate', 'with catchListenerErrors', 'with logClose', 'with messages'])

  t.match(stdout, 'heap per idle connection (B), the bar: at most 1.05')
  t.match(readFileSync(join(directory, 'bench.svg'), 'utf8'), /^<svg [^]*prefers-color-scheme: dark[^]*<\/svg>\n$/)
})

t.test('npm run bench -- --compare measures another commit in the same rounds, and tells our ratio to it', async t => {
  const directory = t.testdir()
  const commit = (await run('git', ['rev-parse', '--short', 'HEAD'])).stdout.trim()
  const stdout = await bench('--quick', '--only', 'injectWS', '--compare', 'HEAD', '--out', directory)

  const [{ contestants, compared }] = readResults(directory).summary
  t.same(Object.keys(contestants), ['reference', 'ours', 'compared'])
  t.equal(compared.ratio, contestants.ours.median / contestants.compared.median)
  t.match(stdout, new RegExp(`^  fastify-wss at ${commit} `, 'm'))
  t.match(stdout, /^ {2}our ratio to that commit +\d+\.\d{3}$/m)
})

t.test('a ratio comes with the range in which it is with 95 % certainty, once there are rounds enough', async t => {
  const { summarize } = await import('../bench/summary.mjs')
  const gets = [101, 98, 103, 102, 99, 100, 104, 97, 105]
  t.match(ofRounds(gets), { ratio: 1.01, from: 0.98, to: 1.04 })
  t.match(ofRounds(gets.slice(0, 6)), { ratio: 1.005, from: 0.98, to: 1.03 })
  t.match(ofRounds(gets.slice(0, 5)), { ratio: 1.01, from: undefined, to: undefined })

  function ofRounds (gets: number[]): object | undefined {
    const rows: Array<{ contestants: { ours?: object } }> = summarize(gets.flatMap((get, round) => [
      { round, name: 'fastify', numbers: { get: 100 } },
      { round, name: 'ours', numbers: { get } }
    ]))
    return rows[0]?.contestants.ours
  }
})

async function bench (...args: string[]): Promise<string> {
  // tap puts its loaders into NODE_OPTIONS at every spawn, whatever the environment given: they would be measured too.
  const { stdout } = await run('env', ['-u', 'NODE_OPTIONS', 'npm', 'run', 'bench', '--silent', '--', ...args], { timeout: 200_000 })
  return stdout
}

function readResults (directory: string): ReturnType<typeof JSON.parse> {
  return JSON.parse(readFileSync(join(directory, 'results.json'), 'utf8'))
}
