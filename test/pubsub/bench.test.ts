// That the benchmark of pub/sub runs, from end to end. It judges no times: those of a busy machine mean nothing.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { skip } from '../helpers/redis'

t.setTimeout(240_000)

t.test('npm run bench:pubsub -- --quick measures publish() beside the loop and the floor, counts the writes, and draws', async t => {
  const folder = t.testdir()
  const out = join(folder, 'results.json')
  const chart = join(folder, 'chart.svg')
  // tap puts its loaders into NODE_OPTIONS at every spawn, whatever the environment given: they would be measured too.
  await promisify(execFile)('env', ['-u', 'NODE_OPTIONS', 'npm', 'run', 'bench:pubsub', '--silent', '--', '--quick', '--out', out, '--chart', chart], { timeout: 210_000 })
  const { machine, rows, heap, nodes } = JSON.parse(readFileSync(out, 'utf8'))
  t.equal(machine.Node, process.version)
  t.same(rows.map(({ deflate, perTick }: { deflate: boolean, perTick: number }) => [deflate, perTick]), [[false, 1], [false, 8], [true, 1], [true, 8]])
  for (const { contestants, perTick } of rows) {
    for (const { gain } of Object.values<{ gain: number }>(contestants)) t.ok(Number.isFinite(gain))
    for (const name of ['floor', 'pubsub']) t.equal(contestants[name].writes, 1 / perTick)
  }
  t.ok(Number.isFinite(heap.own))
  t.equal(nodes === undefined, skip !== false, 'several nodes, where there is a redis-server')
  for (const name of ['pubsub', 'history']) {
    const { kill } = nodes?.find((row: { name: string }) => row.name === name) ?? { kill: {} }
    t.equal(kill.told, kill.lost, `no silent loss: ${name}`)
    for (const mistake of ['duplicates', 'reordered']) t.notOk(kill[mistake], `${mistake}: ${name}`)
  }
  t.match(readFileSync(chart, 'utf8'), /^<svg [^]*fastify-wss\/pubsub[^]*<\/svg>\n$/)
})
