// What a client does not read piles up in memory, so it has an end. Reading slowly for a moment is no fault: a burst of messages
// is more than any client takes at once. So it is what waits for a while, or a great deal, that counts. It grows by sending
// only: there it is measured, and a connection that keeps up is never looked at.

import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import type { SlowConsumerOptions } from '../types'
import { check, DELAY, fail, FUNCTION, readObject, SIZE } from './check'
import type { Rule } from './check'
import { now } from './clock'
import { endWith } from './ending'
import { sweepOf } from './sweep'
import { isThenable } from './thenable'

export type BacklogSettings = Required<SlowConsumerOptions>

interface Backlog {
  settings: BacklogSettings
  /** Undefined where it is not known. */
  stream: Duplex | undefined
  /** Since when it is over maxBufferedAmount; 0: it is not. */
  since: number
  /** That something was done about it. */
  isTold: boolean
  isWatched: boolean
}

const DEFAULTS: BacklogSettings = { maxBufferedAmount: 1024 * 1024, grace: 3000, hardLimit: 16 * 1024 * 1024, action: 'close' }
// How often a backlog is looked at within the grace.
const LOOKS = 8

const ENDING = { code: 1013, reason: 'slow consumer' }

const ACTION: Rule = {
  isValid: value => value === 'close' || value === 'terminate' || FUNCTION.isValid(value),
  text: "must be 'close', 'terminate' or a function"
}

const kBacklog = Symbol('fastify-wss.backlog')

type Watched = WebSocket & { [kBacklog]?: Backlog }

/** Where it has a limit already, that one stays. */
export function limitBacklog (socket: WebSocket, stream: Duplex | undefined, settings: BacklogSettings): void {
  const watched: Watched = socket
  watched[kBacklog] ??= { settings, stream, since: 0, isTold: false, isWatched: false }
}

/** To be called when something was sent on a socket that has a limit. */
export function mindBacklog (websocketServer: WebSocketServer, socket: WebSocket): void {
  const backlog = (socket as Watched)[kBacklog] as Backlog
  const { maxBufferedAmount, hardLimit, grace } = backlog.settings
  const { bufferedAmount } = socket
  if (bufferedAmount <= maxBufferedAmount || socket.readyState !== socket.OPEN) return
  if (backlog.since === 0) {
    backlog.since = now()
    watchDrain(backlog)
    sweepOf(websocketServer).lookAt(look, backlog.since + grace / LOOKS)
  }
  if (bufferedAmount > hardLimit) act(socket, backlog)
}

export function readBacklogSettings (value: unknown, name: string): BacklogSettings | undefined {
  const given = readObject<BacklogSettings>(name, value, Object.keys(DEFAULTS))
  if (given === undefined) return
  check(`${name}.maxBufferedAmount`, given.maxBufferedAmount, SIZE)
  check(`${name}.grace`, given.grace, DELAY)
  check(`${name}.hardLimit`, given.hardLimit, SIZE)
  check(`${name}.action`, given.action, ACTION)
  const { maxBufferedAmount, grace, hardLimit, action } = given
  const settings: BacklogSettings = {
    maxBufferedAmount: maxBufferedAmount ?? DEFAULTS.maxBufferedAmount,
    grace: grace ?? DEFAULTS.grace,
    hardLimit: hardLimit ?? DEFAULTS.hardLimit,
    action: action ?? DEFAULTS.action
  }
  if (settings.hardLimit < settings.maxBufferedAmount) fail(`${name}.hardLimit`, `must not be below ${name}.maxBufferedAmount`, settings.hardLimit)
  return settings
}

// Between two looks a client may have read everything, and have got as much again.
function watchDrain (backlog: Backlog): void {
  if (backlog.isWatched) return
  backlog.isWatched = true
  backlog.stream?.once('drain', () => {
    backlog.isWatched = false
    end(backlog)
  })
}

function end (backlog: Backlog): void {
  backlog.since = 0
  backlog.isTold = false
}

function look (socket: Watched, time: number): number {
  const { [kBacklog]: backlog } = socket
  if (backlog === undefined || backlog.since === 0) return Infinity
  const { maxBufferedAmount, grace } = backlog.settings
  if (socket.bufferedAmount <= maxBufferedAmount) {
    end(backlog)
    return Infinity
  }
  if (time - backlog.since >= grace) act(socket, backlog)
  return time + grace / LOOKS
}

/** Once, until the client has caught up. */
function act (socket: WebSocket, backlog: Backlog): void {
  if (backlog.isTold) return
  backlog.isTold = true
  const { action } = backlog.settings
  if (action === 'close') endWith(socket, ENDING)
  else if (action === 'terminate') socket.terminate()
  else run(socket, action)
}

// An error of the socket goes where all errors of a connection go.
function run (socket: WebSocket, action: Exclude<BacklogSettings['action'], string>): void {
  try {
    const result: unknown = action(socket)
    if (isThenable(result)) Promise.resolve(result).catch(error => { socket.emit('error', error) })
  } catch (error) {
    socket.emit('error', error)
  }
}
