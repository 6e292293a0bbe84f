// A client of one node, which notes what arrives: which numbers, how late, and where it was told of a gap.
import { WebSocket } from 'ws'

export async function connectClient (name, port, after) {
  const isSocketIo = name === 'socket.io'
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${isSocketIo ? 'socket.io/?EIO=4&transport=websocket' : after ? `?after=${after}` : ''}`)
  const client = { numbers: [], delays: [], marks: [], id: undefined, onNumber () {}, close () { socket.terminate() } }
  await new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('message', data => {
      const text = String(data)
      if (isSocketIo && text.startsWith('0')) socket.send('40')
      else if (isSocketIo && text === '2') socket.send('3')
      else if (text.includes('ready')) resolve()
      else if (text === 'gap') client.marks.push(client.numbers.at(-1) ?? 0)
      else note(client, text)
    })
  })
  return client
}

function note (client, text) {
  const [, number, time, id] = /(\d+) (\d+)(?: ([\d-]+))?/.exec(text) ?? []
  if (number === undefined) return
  client.numbers.push(Number(number))
  client.delays.push(Number(process.hrtime.bigint() - BigInt(time)) / 1000)
  client.id ??= id
  client.onNumber(Number(number))
}

/** Of what was published, up to the last: what is missing though it was taken, told of or not, and what came twice or late. */
export function judge ({ numbers, marks }, last, rejected) {
  const refused = new Set(rejected)
  const got = new Set()
  const result = { published: last, rejected: refused.size, delivered: 0, lost: 0, told: 0, duplicates: 0, reordered: 0 }
  let highest = 0
  for (const number of numbers) {
    if (got.has(number)) result.duplicates++
    else if (number < highest) result.reordered++
    got.add(number)
    highest = Math.max(highest, number)
  }
  result.delivered = got.size
  let before = 0
  for (let number = 1; number <= last; number++) {
    if (got.has(number)) before = number
    else if (!refused.has(number)) {
      result.lost++
      // Whoever refetches at a mark has all that went before.
      if (marks.some(mark => mark >= before)) result.told++
    }
  }
  return result
}
