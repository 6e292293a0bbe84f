// The chart for the README: a picture without a script, which follows the reader's light or dark colours by itself.

import { contestants } from './contestants.mjs'
import { rows } from './measurements.mjs'

const SHOWN = ['ws', 'reference', 'ours']
const WIDTH = 760
const LEFT = 210
const RIGHT = 60
const BAR = 13
const GAP = 16
const TOP = 64

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .ws { fill: #afb8c1 } .reference { fill: #d4a72c } .ours { fill: #1a7f64 }
  .one { stroke: #59636e; stroke-dasharray: 3 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .small { fill: #9198a1 }
    .ws { fill: #59636e } .reference { fill: #bb8009 } .ours { fill: #3fb68b }
    .one { stroke: #9198a1 }
  }
`

/** Bars for the rows in which we and the reference have a ratio to ws or to Fastify alone: the shorter, the better. */
export function drawChart (summary, machine) {
  const groups = summary.filter(({ key, contestants: { reference } }) => reference && key in rows && !rows[key].isMoreBetter && key !== 'rss')
  const longest = Math.max(1.5, ...groups.flatMap(({ contestants: measured }) => namesIn(measured).map(name => measured[name].ratio)))
  const scale = (WIDTH - LEFT - RIGHT) / longest
  const heights = groups.map(({ contestants: measured }) => namesIn(measured).length * BAR + GAP)
  const height = TOP + heights.reduce((sum, each) => sum + each, 0) + 34
  const tops = heights.map((_, i) => TOP + heights.slice(0, i).reduce((sum, each) => sum + each, 0))
  const one = round(LEFT + scale)

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">
<title id="title">Cost of a connection beside bare ws, as a ratio</title>
<style>${STYLE}</style>
<text class="title" x="12" y="24">What it costs beside the control, which is 1 (less is better)</text>
${legend()}
<line class="one" x1="${one}" x2="${one}" y1="${TOP - 8}" y2="${height - 30}"/>
${groups.map((group, i) => drawGroup(group, tops[i], scale)).join('\n')}
<text class="small" x="12" y="${height - 10}">${escape(`${machine.CPU}, Node ${machine.Node}, ${machine.packages}, ${machine.date}`)}</text>
</svg>
`
}

function legend () {
  return SHOWN.map((name, i) => {
    const x = LEFT + i * 170
    const title = name === 'ws' ? 'control' : contestants[name].title
    return `<rect class="${name}" x="${x}" y="37" width="11" height="11"/><text x="${x + 17}" y="47">${escape(title)}</text>`
  }).join('\n')
}

function drawGroup ({ key, contestants: measured }, top, scale) {
  const names = namesIn(measured)
  const title = `<text x="${LEFT - 10}" y="${top + names.length * BAR / 2 + 4}" text-anchor="end">${escape(titleOf(key))}</text>`
  const bars = names.map((name, i) => {
    const { ratio } = measured[name]
    const y = top + i * BAR
    const style = SHOWN.includes(name) ? name : 'ws'
    return `<rect class="${style}" x="${LEFT}" y="${y}" width="${round(ratio * scale)}" height="${BAR - 2}"/>` +
      `<text class="small" x="${round(LEFT + Math.max(ratio, 1) * scale + 5)}" y="${y + 10}">${ratio.toFixed(2)}</text>`
  })
  return [title, ...bars].join('\n')
}

// The control of a GET is Fastify alone: it has the control's colour.
function namesIn (measured) {
  return ['ws', 'fastify', 'reference', 'ours'].filter(name => name in measured)
}

function titleOf (key) {
  return rows[key].title.replace(/ \(.*\)$/, '')
}

function round (number) {
  return Math.round(number * 10) / 10
}

function escape (text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
}
