// npm run bench [-- --quick] [--rounds N] [--only WORD] [--ballast MEGABYTES] [--compare REVISION] [--out DIRECTORY]
// Leads: in each round, each measurement, the contestants have their turns one after the other until all are through. Only
// a complete run replaces bench/results.json and docs/bench.svg; with --out any run writes them there.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { drawChart } from './chart.mjs'
import { addRevision } from './compare.mjs'
import { describeMachine, isInstalled } from './machine.mjs'
import { measurements } from './measurements.mjs'
import { summarize } from './summary.mjs'
import { printTable } from './table.mjs'

const FULL = {
  rounds: 11,
  turns: 20,
  steps: [1000, 2000, 5000, 10_000],
  batch: 500,
  upgradeWarmUp: 6000,
  gets: 64_000,
  messages: { '32 B': 128_000, '1 KB': 64_000, '64 KB': 12_800 },
  beats: 5,
  injects: 3000,
  ballast: 32
}
const QUICK = {
  rounds: 1,
  turns: 2,
  steps: [100, 500],
  batch: 100,
  upgradeWarmUp: 100,
  gets: 1280,
  messages: { '32 B': 1280, '1 KB': 1280, '64 KB': 256 },
  beats: 1,
  injects: 60,
  ballast: 1
}

const { values: { quick, rounds, only = '', ballast, compare, out } } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
    ballast: { type: 'string' },
    compare: { type: 'string' },
    out: { type: 'string' }
  }
})
const size = { ...quick ? QUICK : FULL, ...rounds && { rounds: Number(rounds) }, ...ballast && { ballast: Number(ballast) } }
const chosen = measurements.filter(({ title }) => title.includes(only))
if (chosen.length === 0) throw new Error(`nothing to measure: no title has "${only}" in it`)

if (compare !== undefined) addRevision(compare)

const machine = describeMachine()
console.log(Object.entries(machine).map(([name, value]) => `${name}: ${value}`).join('\n'))
const summary = summarize(await measureAll())
printTable(summary, { judges: !quick })
writeResults()

async function measureAll () {
  const results = []
  for (let round = 0; round < size.rounds; round++) {
    for (const [i, { title, names, run }] of chosen.entries()) {
      report(`round ${round + 1} of ${size.rounds}, ${i + 1} of ${chosen.length}: ${title}`)
      const all = await sideBySide(rotate(names.filter(isInstalled), round), name => run(name, size))
      results.push(...all.map(({ name, numbers }) => ({ round, name, numbers })))
    }
  }
  report('')
  return results
}

async function sideBySide (names, run) {
  const all = names.map(name => ({ name, turns: run(name), numbers: undefined }))
  try {
    for (let left = all; left.length > 0; left = left.filter(({ numbers }) => numbers === undefined)) {
      for (const contestant of left) {
        const { done, value } = await contestant.turns.next()
        if (done) contestant.numbers = value
      }
    }
    return all
  } finally {
    for (const { turns } of all) await turns.return()
  }
}

// Who begins changes from round to round.
function rotate (names, round) {
  const first = round % names.length
  return [...names.slice(first), ...names.slice(0, first)]
}

function report (line) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`)
  else if (line) process.stderr.write(`${line}\n`)
}

function writeResults () {
  const isComplete = !quick && compare === undefined && chosen.length === measurements.length
  if (!isComplete && out === undefined) return
  const results = out ?? fileURLToPath(new URL('.', import.meta.url))
  const chart = out ?? fileURLToPath(new URL('../docs', import.meta.url))
  mkdirSync(results, { recursive: true })
  writeFileSync(join(results, 'results.json'), JSON.stringify({ machine, size, summary }, null, 2) + '\n')
  writeFileSync(join(chart, 'bench.svg'), drawChart(summary, machine))
}
