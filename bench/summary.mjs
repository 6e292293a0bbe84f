// From single numbers to what is told: the median and the range over the rounds, and the ratio to the control. A ratio is
// the median of the ratios within each round, because both were measured side by side there; `from` and `to` tell how sure
// it is.

import { measurements, rows } from './measurements.mjs'

const order = [...new Set(measurements.flatMap(({ names }) => names))]

/** results: { round, name, numbers } of each measurement. Returns for each row the numbers of each contestant. */
export function summarize (results) {
  const found = new Set(results.flatMap(({ numbers }) => Object.keys(numbers)))
  const known = [...found].sort((a, b) => position(a) - position(b))
  return known.map(key => ({
    key,
    ...rowOf(key),
    contestants: summarizeRow(results, key, rowOf(key).control),
    compared: ratioOf(valuesOf(results, key, 'ours'), valuesOf(results, key, 'compared'))
  }))
}

function position (key) {
  const index = Object.keys(rows).indexOf(key)
  return index === -1 ? Infinity : index
}

// 'heap at 1000' is the row 'heap', at a number of connections.
function rowOf (key) {
  const [name, step] = key.split(' at ')
  if (step === undefined) return rows[key]
  const { title, unit, control } = rows[name]
  return { title: `${title}, at ${Number(step).toLocaleString('en')}`, unit, control, isGrowth: true }
}

function summarizeRow (results, key, control) {
  const summary = {}
  for (const name of order) {
    const values = valuesOf(results, key, name)
    if (values.length === 0) continue
    summary[name] = {
      ...ratioOf(values, valuesOf(results, key, control)),
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values)
    }
  }
  return summary
}

function valuesOf (results, key, name) {
  return results.filter(result => result.name === name && key in result.numbers).map(({ numbers }) => numbers[key])
}

function ratioOf (values, controls) {
  if (controls.length === 0) return
  const ratios = values.map((value, round) => value / controls[round]).sort((a, b) => a - b)
  const rank = rankOfRange(ratios.length)
  return { ratio: median(ratios), from: ratios[rank - 1], to: ratios[ratios.length - rank] }
}

// Of sorted numbers, those from this rank to the same rank from the end hold the true median between them with 95 %
// certainty: each falls on either side of it, like a coin. It is 0 for fewer than six, which cannot be that sure.
function rankOfRange (count) {
  let rank = 0
  let chance = 0.5 ** count
  for (let sum = chance; sum <= 0.025; sum += chance) {
    rank++
    chance *= (count - rank + 1) / rank
  }
  return rank
}

function median (values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
