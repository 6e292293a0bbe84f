// The table on the terminal. A quick run says nothing about a bar: its numbers mean nothing.

import { contestants } from './contestants.mjs'

export function printTable (summary, { judges }) {
  for (const { title, unit, control, bar, isMoreBetter, contestants: measured } of summary) {
    console.log(`\n${title} (${unit})${bar === undefined ? '' : `, the bar: ${isMoreBetter ? 'at least' : 'at most'} ${bar.toFixed(2)}`}`)
    for (const [name, { ratio, median, min, max }] of Object.entries(measured)) {
      const range = `${format(min)} to ${format(max)}`
      const verdict = judges && name === 'ours' && bar !== undefined && (isMoreBetter ? ratio < bar : ratio > bar) ? '  missed' : ''
      console.log(`  ${contestants[name].title.padEnd(26)}${format(median).padStart(8)}  ${range.padEnd(20)}${name === control ? 'control' : ratio.toFixed(3)}${verdict}`)
    }
  }
}

function format (number) {
  return number < 100 ? number.toFixed(1) : Math.round(number).toLocaleString('en')
}
