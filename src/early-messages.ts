// Messages that arrive while an async handler is getting ready wait for a 'message' listener, in order: before the first
// one, and between one and the next (as with events.once). They wait at the socket's own emit and not in a listener of
// ours, which would have its turn among the application's. So pings are answered and a close is seen meanwhile.
// The wait ends in bytes, past which the socket is paused and TCP holds the client back, and in time: where nobody listens
// the client must be able to leave, so then what waits is dropped and the socket reads on. Once the handler has settled,
// ws alone decides.

import type { FastifyBaseLogger } from 'fastify'
import type { WebSocket } from 'ws'
import { clearTimeout, setTimeout } from './clock'
import { emitOf, replaceEmit } from './emit'
import { pauseFor, resumeFor } from './pausing'
import { costOf } from './size'

// Bytes that may wait.
const BOUND = 1024 * 1024

const REASON = 'early messages'

/** Holds the messages of a socket while nobody listens, at most `limit` milliseconds. Call the result when its handler has settled. */
export function holdMessages (socket: WebSocket, limit: number, log: FastifyBaseLogger): () => void {
  const emit = emitOf(socket)
  const early: unknown[][] = []
  let size = 0
  let isSettled = false
  let isGivenUp = false
  let timer: NodeJS.Timeout | undefined
  replaceEmit(socket, emitInOrder)
  socket.on('newListener', onNewListener)
  return release

  function emitInOrder (this: WebSocket, event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'message' || isGivenUp || (early.length === 0 && hasListener())) return emit.call(this, event, ...args)
    if (size <= BOUND || socket.readyState === socket.OPEN) {
      early.push(args)
      size += costOf(args[0])
    }
    deliver()
    return hasListener()
  }

  function onNewListener (event: string | symbol): void {
    if (event !== 'message') return
    isGivenUp = false
    stopTimer()
    resumeFor(socket, REASON)
    if (early.length > 0) process.nextTick(deliver)
  }

  function hasListener (): boolean {
    return socket.listenerCount('message') > 0
  }

  // A listener may go after one message (once): what it leaves waits for the next. It may throw: the rest comes a tick later.
  function deliver (): void {
    try {
      for (let next = early[0]; next !== undefined && hasListener(); next = early[0]) {
        early.shift()
        size -= costOf(next[0])
        emit.call(socket, 'message', ...next)
      }
    } finally {
      if (early.length > 0 && hasListener()) process.nextTick(deliver)
      else if (isSettled) stop()
      else if (early.length > 0) keepWaiting()
    }
  }

  function keepWaiting (): void {
    timer ??= setTimeout(giveUp, limit).unref()
    if (size > BOUND) pauseFor(socket, REASON)
  }

  // Until somebody listens again.
  function giveUp (): void {
    isGivenUp = true
    log.debug({ count: early.length, limit }, 'dropped messages for which the handler has not listened in time')
    drop()
  }

  // A tick later whatever was thrown by a listener is the listener's, and not the handler's.
  function release (): void {
    isSettled = true
    process.nextTick(deliver)
  }

  function stop (): void {
    drop()
    socket.off('newListener', onNewListener)
    if (emitOf(socket) === emitInOrder) replaceEmit(socket, emit)
    isGivenUp = true
  }

  function drop (): void {
    stopTimer()
    early.length = 0
    size = 0
    resumeFor(socket, REASON)
  }

  function stopTimer (): void {
    clearTimeout(timer)
    timer = undefined
  }
}
