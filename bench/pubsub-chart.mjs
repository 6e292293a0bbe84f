// The chart of docs/pubsub.md: how many times less CPU time a message costs than by a loop over socket.send().

const COLOURS = { floor: ['#afb8c1', '#6e7681'], pubsub: ['#1a7f64', '#3fb68b'], 'socket.io': ['#d4a72c', '#bb8009'], crossws: ['#8250df', '#a371f7'] }
const TITLES = { floor: 'floor: one ready write', pubsub: 'fastify-wss/pubsub', 'socket.io': 'socket.io', crossws: 'crossws' }
const WIDTH = 760
const LEFT = 270
const RIGHT = 60
const BAR = 11
const GAP = 12
const TOP = 64
// Bars are as long as the logarithm: 40 and 1.1 are on one picture.
const LEAST = 0.25

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .one { stroke: #59636e; stroke-dasharray: 3 3 }
  ${Object.keys(COLOURS).map((name, i) => `.c${i} { fill: ${COLOURS[name][0]} }`).join(' ')}
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .small { fill: #9198a1 } .one { stroke: #9198a1 }
    ${Object.keys(COLOURS).map((name, i) => `.c${i} { fill: ${COLOURS[name][1]} }`).join(' ')}
  }
`

export function drawPubSubChart ({ machine, rows }) {
  const names = Object.keys(COLOURS).filter(name => name in rows[0].contestants)
  const most = Math.max(2, ...rows.flatMap(({ contestants }) => names.map(name => contestants[name].gain)))
  const place = gain => (WIDTH - LEFT - RIGHT) * Math.log(Math.max(gain, LEAST) / LEAST) / Math.log(most / LEAST)
  const step = names.length * BAR + GAP
  const height = TOP + rows.length * step + 34
  const one = round(LEFT + place(1))

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">
<title id="title">CPU time of a loop over socket.send(), divided by that of pub/sub</title>
<style>${STYLE}</style>
<text class="title" x="12" y="24">CPU time of a loop over socket.send(), divided by theirs (more is better, logarithmic)</text>
${names.map(drawLegend).join('\n')}
<line class="one" x1="${one}" x2="${one}" y1="${TOP - 8}" y2="${height - 30}"/>
${rows.map((row, i) => drawRow(row, names, TOP + i * step, place)).join('\n')}
<text class="small" x="12" y="${height - 10}">${escape(`${machine.CPU}, Node ${machine.Node}, ${machine.date}`)}</text>
</svg>
`
}

function drawLegend (name, i) {
  const x = 12 + i * 170
  return `<rect class="c${Object.keys(COLOURS).indexOf(name)}" x="${x}" y="37" width="11" height="11"/><text x="${x + 17}" y="47">${TITLES[name]}</text>`
}

function drawRow ({ subscribers, size, deflate, perTick, contestants }, names, top, place) {
  const title = `${subscribers} sockets, ${size}${deflate ? ' deflated' : ''}, ${perTick} a turn`
  const bars = names.map((name, i) => {
    const { gain } = contestants[name]
    const y = top + i * BAR
    const width = round(place(gain))
    return `<rect class="c${Object.keys(COLOURS).indexOf(name)}" x="${LEFT}" y="${y}" width="${width}" height="${BAR - 2}"/>` +
      `<text class="small" x="${LEFT + width + 5}" y="${y + 9}">${gain.toFixed(2)}</text>`
  })
  return [`<text x="${LEFT - 10}" y="${top + names.length * BAR / 2 + 4}" text-anchor="end">${escape(title)}</text>`, ...bars].join('\n')
}

function round (number) {
  return Math.round(number * 10) / 10
}

function escape (text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
}
