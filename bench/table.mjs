// The table on the terminal. A quick run says nothing about a bar: its numbers mean nothing.

import { contestants } from './contestants.mjs'

export function printTable (summary, { judges }) {
  for (const { title, unit, control, subject = 'ours', bar, isMoreBetter, contestants: measured, compared } of summary) {
    console.log(`\n${title} (${unit})${bar === undefined ? '' : `, the bar: ${isMoreBetter ? 'at least' : 'at most'} ${bar.toFixed(2)}`}`)
    for (const [name, numbers] of Object.entries(measured)) {
      const { ratio, median, min, max } = numbers
      const range = `${format(min)} to ${format(max)}`
      const verdict = judges && name === subject && bar !== undefined && (isMoreBetter ? ratio < bar : ratio > bar) ? '  missed' : ''
      printLine(contestants[name].title, format(median), range, name === control ? 'control' : formatRatio(numbers) + verdict)
    }
    if (compared) printLine('our ratio to that commit', '', '', formatRatio(compared))
  }
}

function printLine (title, median, range, ratio) {
  console.log(`  ${title.padEnd(26)}${median.padStart(8)}  ${range.padEnd(20)}${ratio}`)
}

function formatRatio ({ ratio, from, to }) {
  return `${ratio.toFixed(3)}${from === undefined ? '' : ` (${from.toFixed(3)} to ${to.toFixed(3)})`}`
}

function format (number) {
  return number < 100 ? number.toFixed(1) : Math.round(number).toLocaleString('en')
}
