// That the benchmark of pub/sub runs, from end to end. It judges no times: those of a busy machine mean nothing.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

t.setTimeout(120_000)

t.test('npm run bench:pubsub -- --quick measures publish() beside the loop, and counts the writes', async t => {
  const out = join(t.testdir(), 'results.json')
  // tap puts its loaders into NODE_OPTIONS at every spawn, whatever the environment given: they would be measured too.
  await promisify(execFile)('env', ['-u', 'NODE_OPTIONS', 'npm', 'run', 'bench:pubsub', '--silent', '--', '--quick', '--out', out], { timeout: 90_000 })
  const { machine, rows } = JSON.parse(readFileSync(out, 'utf8'))
  t.equal(machine.Node, process.version)
  t.same(rows.map(({ deflate, perTick }: { deflate: boolean, perTick: number }) => [deflate, perTick]), [[false, 1], [false, 8], [true, 1], [true, 8]])
  for (const { gain, writes, perTick } of rows) {
    t.ok(Number.isFinite(gain))
    t.equal(writes.pubsub, 1 / perTick)
  }
})
