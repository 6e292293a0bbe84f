// The same scenarios on @fastify/websocket and on us. Their transcripts are equal, or the difference is exactly the one that
// the scenario states, under ids of docs/differences.md.
import t, { type Test } from 'tap'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import plugin from '../../src'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, within } from '../helpers/limit'
import { type Plugin, Stage } from './recorder'
import type { Scenario } from './scenario'
import { topics } from './scenarios'
import { compare, type Transcript } from './transcript'

checkLeaksAtEnd(t)

// Required, not imported: its types would augment Fastify a second time.
const reference: Plugin = require('fastify-websocket-reference')
const differences = readDifferences()

for (const [topic, scenarios] of Object.entries(topics)) {
  t.test(topic, async t => {
    for (const scenario of scenarios) await t.test(scenario.name, t => compareSides(t, scenario))
  })
}

async function compareSides (t: Test, scenario: Scenario): Promise<void> {
  if (scenario.oursOnly) {
    t.strictSame(await play(scenario, plugin), scenario.expect)
    return
  }
  const theirs = await play(scenario, reference)
  const ours = await play(scenario, plugin)
  const { diff = [], differs = [] } = scenario
  t.not(Object.keys(ours).length, 0, 'something is observed')
  t.strictSame(compare(theirs, ours), diff)
  t.equal(diff.length > 0, differs.length > 0, 'a difference is one of docs/differences.md')
}

async function play (scenario: Scenario, side: Plugin): Promise<Transcript> {
  const stage = new Stage(side, scenario.logLevel ?? (scenario.oursOnly ? 'silent' : 'info'))
  try {
    await within(scenario.run(stage), scenario.name, 2 * LIMIT)
    return stage.end()
  } finally {
    await stage.clear(side === reference)
  }
}

t.test('docs/differences.md', async t => {
  const scenarios = Object.values(topics).flat()
  const named = new Set(scenarios.flatMap(({ differs = [] }) => differs))

  t.ok(scenarios.length >= 80, `${scenarios.length} scenarios`)
  t.strictSame([...named].filter(id => !differences.has(id)), [], 'each id that a scenario names is an entry')
  t.strictSame([...differences.keys()].filter(id => !named.has(id)), [], 'each entry is named by a scenario')
  t.strictSame(scenarios.map(({ name }) => name).filter((name, index, all) => all.indexOf(name) !== index), [], 'each scenario has a name of its own')

  for (const [id, { fields, proof }] of differences) {
    t.strictSame(fields, ['Reference', 'Here', 'Why', 'Proof'], `${id} says what both do, why, and where it is proved`)
    t.ok(proof.length > 0, `${id} names where`)
    for (const [topic, file] of proof) {
      const holds = topics[topic]?.some(({ differs = [] }) => differs.includes(id))
      t.ok(holds ?? existsSync(join(__dirname, '../..', file)), `${id} is proved in ${file}`)
    }
  }
})

interface Difference {
  fields: string[];
  /** The topic, where the file has scenarios, and the file. */
  proof: Array<[topic: string, file: string]>;
}

function readDifferences (): Map<string, Difference> {
  const text = readFileSync(join(__dirname, '../../docs/differences.md'), 'utf8')
  return new Map(text.split(/^### /m).slice(1).map(section => {
    const id = section.slice(0, section.indexOf('\n')).trim()
    const fields = [...section.matchAll(/^- \*\*(\w+)\*\*/gm)].map(match => String(match[1]))
    const files = /\*\*Proof\*\*(.*)/.exec(section)?.[1]?.match(/test\/[\w/.-]+\.ts/g) ?? []
    return [id, { fields, proof: files.map(file => [topicOf(file), file]) }]
  }))
}

function topicOf (file: string): string {
  return /compat\/scenarios\/([\w-]+)\.ts/.exec(file)?.[1] ?? ''
}
