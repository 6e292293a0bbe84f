// messageRate: so many messages, or bytes of messages, in a window of time. The window begins with a message. What is too much
// ends the connection, and is not delivered; or it waits for the next window and the socket is paused, so that TCP holds the
// client back and the application gets what it is ready for. What waits is what had arrived already when the socket was
// paused: it has an end in bytes, and in time it lasts no longer than the client has more to say than it may.

import type { WebSocket } from 'ws'
import type { MessageRateOptions } from '../../types'
import { check, COUNT, DELAY, fail, readObject } from '../check'
import type { Rule } from '../check'
import { clearTimeout, now, setTimeout } from '../clock'
import { emitOf } from '../emit'
import { endWith } from '../ending'
import { pauseFor, resumeFor } from '../pausing'
import type { PolicyKind } from '../policy'
import { costOf, sizeOf } from '../size'
import { tapMessages } from '../traffic'
import type { Tap } from '../traffic'

type Settings = Required<MessageRateOptions>

interface Rate {
  settings: Settings
  /** When the window is over. */
  end: number
  count: number
  bytes: number
  /** The connection is ended for it. */
  isOver: boolean
  queue: unknown[][]
  queued: number
  timer: NodeJS.Timeout | undefined
}

const ENDING = { code: 1008, reason: 'message rate' }
const REASON = 'message rate'

// Bytes that may wait.
const BOUND = 16 * 1024 * 1024

const ACTION: Rule = { isValid: value => value === 'close' || value === 'pause', text: "must be 'close' or 'pause'" }

const kRate = Symbol('fastify-wss.rate')

type Watched = WebSocket & { [kRate]?: Rate }

const NOTHING: unknown[][] = []

const TAP: Tap = { onMessage }

export function messageRate (): PolicyKind {
  return {
    name: 'messageRate',
    read: (value, name) => {
      const settings = readSettings(value, name)
      return settings && (() => ({
        open ({ socket }) {
          const watched: Watched = socket
          watched[kRate] = { settings, end: 0, count: 0, bytes: 0, isOver: false, queue: NOTHING, queued: 0, timer: undefined }
          tapMessages(socket, TAP)
          return undefined
        }
      }))
    }
  }
}

function readSettings (value: unknown, name: string): Settings | undefined {
  const given = readObject<Settings>(name, value, ['max', 'timeWindow', 'maxBytes', 'action'])
  if (given === undefined) return
  const { max, timeWindow, maxBytes, action } = given
  check(`${name}.max`, max, COUNT)
  check(`${name}.timeWindow`, timeWindow, DELAY)
  check(`${name}.maxBytes`, maxBytes, COUNT)
  check(`${name}.action`, action, ACTION)
  if (max == null && maxBytes == null) fail(name, 'needs max or maxBytes', value)
  if (timeWindow == null) fail(`${name}.timeWindow`, 'is needed', timeWindow)
  return { max: max ?? Infinity, timeWindow, maxBytes: maxBytes ?? Infinity, action: action ?? 'close' }
}

function onMessage (socket: Watched, args: unknown[]): boolean {
  const rate = rateOf(socket)
  if (rate.isOver) return false
  if (rate.queue === NOTHING) {
    if (fits(rate, sizeOf(args[0]))) return true
    if (rate.settings.action === 'close') return giveUp(socket, rate)
    hold(socket, rate)
  }
  rate.queue.push(args)
  rate.queued += costOf(args[0])
  return rate.queued > BOUND && giveUp(socket, rate)
}

function fits (rate: Rate, bytes: number): boolean {
  const { max, maxBytes, timeWindow, action } = rate.settings
  const time = now()
  if (time >= rate.end) Object.assign(rate, { end: time + timeWindow, count: 0, bytes: 0 })
  // A message that is larger than a window has one of its own: else it would wait for ever.
  const hasRoom = rate.bytes + bytes <= maxBytes || (rate.count === 0 && action === 'pause')
  if (rate.count >= max || !hasRoom) return false
  rate.count++
  rate.bytes += bytes
  return true
}

function giveUp (socket: WebSocket, rate: Rate): false {
  rate.isOver = true
  release(socket, rate)
  endWith(socket, ENDING)
  return false
}

function hold (socket: WebSocket, rate: Rate): void {
  rate.queue = []
  pauseFor(socket, REASON)
  socket.prependListener('close', onClose)
  wait(socket, rate)
}

function wait (socket: WebSocket, rate: Rate): void {
  rate.timer = setTimeout(deliver, rate.end - now(), socket, rate).unref()
}

// What a listener throws is the listener's: the rest comes later.
function deliver (socket: WebSocket, rate: Rate): void {
  const { queue } = rate
  try {
    for (let next = queue[0]; next !== undefined && mayPass(socket, rate, next); next = queue[0]) {
      queue.shift()
      rate.queued -= costOf(next[0])
      emitOf(socket).call(socket, 'message', ...next)
    }
  } finally {
    if (queue.length === 0) release(socket, rate)
    else wait(socket, rate)
  }
}

// Nothing is lost at the end.
function mayPass (socket: WebSocket, rate: Rate, [data]: unknown[]): boolean {
  return socket.readyState === socket.CLOSED || fits(rate, sizeOf(data))
}

function release (socket: WebSocket, rate: Rate): void {
  clearTimeout(rate.timer)
  rate.queue = NOTHING
  rate.queued = 0
  socket.off('close', onClose)
  resumeFor(socket, REASON)
}

function onClose (this: Watched): void {
  const rate = rateOf(this)
  clearTimeout(rate.timer)
  deliver(this, rate)
}

function rateOf (socket: Watched): Rate {
  return socket[kRate] as Rate
}
