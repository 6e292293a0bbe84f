// heartbeat: a client that has gone without a word is found out. Whatever arrives is life, also part of a message that is
// still under way: then nobody asks. After the silence of an interval a ping asks for a sign, and a silence of interval +
// timeout ends the connection. Looks are coarse, so what is known of the last life is between which two looks it was: the
// earlier one decides when to ask, the later one when to end.

import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { check, DELAY, fail, readObject } from '../check'
import { now } from '../clock'
import type { Connection } from '../connection'
import type { PolicyKind } from '../policy'
import { bytesReceived, bytesUnsent } from '../progress'
import { sweepOf } from '../sweep'
import { upgradeOf } from '../upgrade'
import type { PendingUpgrade } from '../upgrade'
import type { Registration } from './index'

interface Settings {
  interval: number
  timeout: number
}

/** What is known of a client. */
interface Pulse {
  settings: Settings
  stream: Duplex
  bytes: number
  /** Not before this it was last heard of. */
  after: number
  /** Not after this it was last heard of, or held back on purpose. PAUSED: it is. */
  before: number
  /** When it was asked for a sign; 0: it was not. */
  askedAt: number
  /** It was looked at since. */
  isDoubted: boolean
  /** Bytes that the system had not taken when it was looked at, once it is asked. */
  unsent: number
}

const INTERVAL = 30_000
const TIMEOUT = 10_000

const PAUSED = 0

const kPulse = Symbol('fastify-wss.pulse')

type Watched = WebSocket & { [kPulse]?: Pulse }

export function heartbeat ({ websocketServer }: Registration): PolicyKind {
  let lastLook = 0
  let thisLook = 0
  return { name: 'heartbeat', read }

  function read (value: unknown, name: string): ReturnType<PolicyKind['read']> {
    const settings = readSettings(value, name)
    return settings && (() => ({
      open (connection) {
        watch(connection, settings)
        sweepOf(websocketServer).lookAt(look, now() + distance(settings))
        return undefined
      }
    }))
  }

  function look (socket: WebSocket, time: number): number {
    if (time !== thisLook) [lastLook, thisLook] = [thisLook, time]
    const { [kPulse]: pulse }: Watched = socket
    return pulse === undefined ? Infinity : feel(socket, pulse, lastLook, time)
  }
}

function readSettings (value: unknown, name: string): Settings | undefined {
  const given = readObject<Settings>(name, value, ['interval', 'timeout'])
  if (given === undefined) return
  const { interval, timeout } = given
  check(`${name}.interval`, interval, DELAY)
  check(`${name}.timeout`, timeout, DELAY)
  if (timeout != null && interval == null) fail(`${name}.timeout`, `needs ${name}.interval`, timeout)
  return { interval: interval ?? INTERVAL, timeout: timeout ?? TIMEOUT }
}

function watch ({ socket, request }: Connection, settings: Settings): void {
  const { stream } = upgradeOf(request.raw) as PendingUpgrade
  const time = now()
  const watched: Watched = socket
  watched[kPulse] = { settings, stream, bytes: bytesReceived(stream), after: time, before: time, askedAt: 0, isDoubted: false, unsent: 0 }
}

function distance ({ interval }: Settings): number {
  return Math.ceil(interval / 4)
}

function feel (socket: WebSocket, pulse: Pulse, lastLook: number, time: number): number {
  const { interval } = pulse.settings
  const next = time + distance(pulse.settings)
  if (socket.isPaused) note(pulse, time, PAUSED)
  else if (isAlive(pulse) || pulse.before === PAUSED) note(pulse, Math.max(pulse.after, lastLook), time)
  if (pulse.askedAt > 0) return Math.min(next, doubt(socket, pulse, time))
  // At the nearest of the looks, so that an idle client is asked once in an interval.
  if (time + distance(pulse.settings) / 2 <= pulse.after + interval) return next
  ask(socket, pulse, time)
  return Math.min(next, time + pulse.settings.timeout / 2)
}

// Not on the first look after it was asked: if that is late, so is what the client was sent and what it has answered.
function doubt (socket: WebSocket, pulse: Pulse, time: number): number {
  const { interval, timeout } = pulse.settings
  const end = Math.max(pulse.before + interval, pulse.askedAt) + timeout
  if (time >= end && pulse.isDoubted) {
    socket.terminate()
    return Infinity
  }
  pulse.isDoubted = true
  return end
}

// A ping waits behind what was sent before: while the system can send of that, the client reads.
function isAlive (pulse: Pulse): boolean {
  const { stream, bytes, unsent } = pulse
  pulse.bytes = bytesReceived(stream)
  if (unsent > 0) pulse.unsent = bytesUnsent(stream)
  return pulse.bytes !== bytes || pulse.unsent !== unsent
}

function note (pulse: Pulse, after: number, before: number): void {
  pulse.after = after
  pulse.before = before
  pulse.askedAt = 0
  pulse.isDoubted = false
  pulse.unsent = 0
}

function ask (socket: WebSocket, pulse: Pulse, time: number): void {
  pulse.askedAt = time
  pulse.unsent = bytesUnsent(pulse.stream)
  socket.ping()
}
