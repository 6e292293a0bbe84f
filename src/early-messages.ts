// Messages that arrive while an async handler is getting ready wait for a 'message' listener, in order: before the first
// one, and between one and the next (as with events.once). They wait at the socket's own emit and not in a listener of
// ours, which would have its turn among the application's. So pings are answered and a close is seen meanwhile. Past the
// bound the socket is paused, and TCP holds the client back. Once the handler has settled, ws alone decides.

import type { WebSocket } from 'ws'

// Bytes that may wait. A message counts for its data and for what holding it costs, so empty ones are bounded too.
const BOUND = 1024 * 1024
const COST = 256
// A paused socket does not see its client leave; writing finds out. A pong, because a ping asks for an answer, and the
// answers of a client that is held back pile up (ws cuts itself off after 60).
const PROBE_INTERVAL = 1000

type Emit = (this: WebSocket, event: string | symbol, ...args: unknown[]) => boolean

/** Holds the messages of a socket while nobody listens. Call the result when its handler has settled. */
export function holdMessages (socket: WebSocket): () => void {
  const emit: Emit = socket.emit
  const early: unknown[][] = []
  let size = 0
  let isSettled = false
  let probe: NodeJS.Timeout | undefined
  replaceEmit(socket, emitInOrder)
  socket.on('newListener', onNewListener)
  return release

  function emitInOrder (this: WebSocket, event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'message' || (early.length === 0 && hasListener())) return emit.call(this, event, ...args)
    if (size <= BOUND || socket.readyState === socket.OPEN) {
      early.push(args)
      size += sizeOf(args[0])
    }
    deliver()
    return hasListener()
  }

  function onNewListener (event: string | symbol): void {
    if (event !== 'message') return
    // At once, so that the application can pause the socket itself.
    resume()
    if (early.length > 0) process.nextTick(deliver)
  }

  function hasListener (): boolean {
    return socket.listenerCount('message') > 0
  }

  // A listener may go after one message (once): what it leaves waits for the next. It may throw: the rest comes a tick
  // later. And it may pause the socket (a stream): so ours ends before.
  function deliver (): void {
    try {
      for (let next = early[0]; next !== undefined && hasListener(); next = early[0]) {
        early.shift()
        size -= sizeOf(next[0])
        emit.call(socket, 'message', ...next)
      }
    } finally {
      if (early.length > 0 && hasListener()) process.nextTick(deliver)
      else if (isSettled) stop()
      else if (size > BOUND) pause()
    }
  }

  // A tick later whatever was thrown by a listener is the listener's, and not the handler's.
  function release (): void {
    isSettled = true
    process.nextTick(deliver)
  }

  function stop (): void {
    early.length = 0
    resume()
    socket.off('newListener', onNewListener)
    if (socket.emit === emitInOrder) replaceEmit(socket, emit)
  }

  function pause (): void {
    if (probe !== undefined || socket.readyState !== socket.OPEN) return
    socket.pause()
    socket.on('close', stopProbing)
    probe = setInterval(probeClient, PROBE_INTERVAL).unref()
  }

  // A socket that is being closed has to read on, up to the client's close frame: what is over the bound is dropped then.
  function probeClient (): void {
    if (socket.readyState === socket.OPEN) socket.pong()
    else resume()
  }

  function resume (): void {
    if (probe === undefined) return
    stopProbing()
    socket.resume()
  }

  function stopProbing (): void {
    socket.off('close', stopProbing)
    clearInterval(probe)
    probe = undefined
  }
}

// Put back by assignment: deleting a property would make the socket a slower and larger object.
function replaceEmit (socket: WebSocket, emit: Emit): void {
  Object.defineProperty(socket, 'emit', { value: emit, configurable: true, writable: true, enumerable: false })
}

// What data is depends on the socket's binaryType.
function sizeOf (data: unknown): number {
  if (Array.isArray(data)) return data.reduce((sum, part) => sum + sizeOf(part), COST)
  if (data instanceof Blob) return COST + data.size
  return COST + (data as ArrayBufferLike | ArrayBufferView).byteLength
}
