// The process that sends to many, as one of the contestants. It measures itself, when it is told to.
import { Socket } from 'node:net'
import { START } from './pubsub-contestants.mjs'

// Turns of the event loop in which nothing is written: then all is.
const QUIET = 20

const task = JSON.parse(process.argv[2])
const { sockets, port, publish } = await START[task.name](task)
const text = 'some words that come again, as words do. '.repeat(500)
const messages = Array(task.perTick).fill(JSON.stringify({ text: text.slice(0, task.size - 11) }))

let writes = 0
for (const method of ['_write', '_writev']) {
  const original = Socket.prototype[method]
  if (original) Socket.prototype[method] = function (...args) { writes++; return Reflect.apply(original, this, args) }
}

process.on('message', async ({ turns, warmUp, isHeap }) => {
  while (sockets.size < task.count) await setImmediatePromise()
  process.send(isHeap ? await measureHeap() : await measureTurns(turns, warmUp))
})
process.send({ port })

/** Microseconds of CPU time, and write calls. Of so many turns, or those of so many milliseconds. */
async function measureTurns (turns = Infinity, time = Infinity) {
  const end = performance.now() + time
  writes = 0
  const before = process.cpuUsage()
  for (let i = 0; i < turns && performance.now() < end; i++) {
    publish(messages)
    await setImmediatePromise()
    // Each is looked at until it is empty, and no more: that is little beside a write.
    for (const socket of sockets) while (socket.bufferedAmount > 0) await setImmediatePromise()
  }
  await untilWritten()
  for (const { readyState } of sockets) if (readyState !== 1) throw new Error('a connection has ended')
  const { user, system } = process.cpuUsage(before)
  return { cpu: user + system, writes }
}

// Some keep what they send for a while.
async function untilWritten () {
  for (let written = -1, quiet = 0; quiet < QUIET; quiet++) {
    if (writes !== written) quiet = 0
    written = writes
    await setImmediatePromise()
  }
}

/** Bytes of a subscription to a topic of all, and to one of the socket's own. */
async function measureHeap () {
  const all = [...sockets]
  const none = await measureHeapAfter(() => {})
  const shared = await measureHeapAfter(socket => { socket.subscribe('topic') })
  await measureHeapAfter(socket => { socket.unsubscribe('topic') })
  let user = 0
  const own = await measureHeapAfter(socket => { socket.subscribe(`user/${user++}`) })
  return { shared: Math.round((shared - none) / all.length), own: Math.round((own - none) / all.length) }

  async function measureHeapAfter (change) {
    all.forEach(change)
    for (let i = 0; i < 5; i++) {
      globalThis.gc()
      await new Promise(resolve => { setTimeout(resolve, 20) })
    }
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
}

function setImmediatePromise () {
  return new Promise(resolve => { setImmediate(resolve) })
}
