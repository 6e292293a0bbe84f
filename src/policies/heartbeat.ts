// heartbeat: a client that has gone without a word is found out. Whatever arrives is life, also part of a message that is
// still under way: then nobody asks. After the silence of an interval a ping asks for a sign, and a silence of interval +
// timeout ends the connection. Looks are coarse, so what is known of the last life is the look at which it was seen: it was
// at most one look earlier, which decides when to ask, and not later, which decides when to end.

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

/** What is known of a client. Each connection has one, so it is small: what a route lays down is on its prototype. */
interface Pulse {
  readonly settings: Settings
  stream: Duplex
  bytes: number
  /** Not after this it was last heard of, or held back on purpose. PAUSED: it is. Whole milliseconds, which take no memory of their own. */
  seenAt: number
  /** It was asked for a sign. */
  doubt: Doubt | undefined
}

interface Doubt {
  askedAt: number
  /** It was looked at since. */
  isOld: boolean
  /** Bytes that the system had not taken when it was looked at. */
  unsent: number
}

const INTERVAL = 30_000
const TIMEOUT = 10_000

const PAUSED = 0

const kPulse = Symbol('fastify-wss.pulse')

type Watched = WebSocket & { [kPulse]?: Pulse }

export function heartbeat ({ websocketServer }: Registration): PolicyKind {
  return { name: 'heartbeat', read }

  function read (value: unknown, name: string): ReturnType<PolicyKind['read']> {
    const settings = readSettings(value, name)
    const ofRoute = { settings }
    return settings && (() => ({
      open (connection) {
        watch(connection, ofRoute)
        sweepOf(websocketServer).lookAt(look, now() + distance(settings))
        return undefined
      }
    }))
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

function watch ({ socket, request }: Connection, ofRoute: object): void {
  const { stream } = upgradeOf(request.raw) as PendingUpgrade
  const pulse: Pulse = Object.create(ofRoute)
  const watched: Watched = socket
  watched[kPulse] = Object.assign(pulse, { stream, bytes: bytesReceived(stream), seenAt: Math.floor(now()), doubt: undefined })
}

function distance ({ interval }: Settings): number {
  return Math.ceil(interval / 4)
}

function look (socket: WebSocket, time: number): number {
  const { [kPulse]: pulse }: Watched = socket
  return pulse === undefined ? Infinity : feel(socket, pulse, Math.floor(time))
}

function feel (socket: WebSocket, pulse: Pulse, time: number): number {
  const { settings: { interval, timeout }, doubt } = pulse
  const next = time + distance(pulse.settings)
  if (socket.isPaused) note(pulse, PAUSED)
  else if (isAlive(pulse) || pulse.seenAt === PAUSED) note(pulse, time)
  else if (doubt !== undefined) return Math.min(next, judge(socket, pulse, doubt, time))
  // At the nearest of the looks, so that an idle client is asked once in an interval.
  if (pulse.seenAt === PAUSED || time + 1.5 * distance(pulse.settings) <= pulse.seenAt + interval) return next
  ask(socket, pulse, time)
  return Math.min(next, time + timeout / 2)
}

// Not on the first look after it was asked: if that is late, so is what the client was sent and what it has answered.
function judge (socket: WebSocket, { settings, seenAt }: Pulse, doubt: Doubt, time: number): number {
  const end = Math.max(seenAt + settings.interval, doubt.askedAt) + settings.timeout
  if (time >= end && doubt.isOld) {
    socket.terminate()
    return Infinity
  }
  doubt.isOld = true
  return end
}

// A ping waits behind what was sent before: while the system can send of that, the client reads.
function isAlive (pulse: Pulse): boolean {
  const { stream, bytes, doubt } = pulse
  pulse.bytes = bytesReceived(stream)
  return pulse.bytes !== bytes || (doubt !== undefined && doubt.unsent > 0 && doubt.unsent !== bytesUnsent(stream))
}

function note (pulse: Pulse, seenAt: number): void {
  pulse.seenAt = seenAt
  pulse.doubt = undefined
}

function ask (socket: WebSocket, pulse: Pulse, askedAt: number): void {
  pulse.doubt = { askedAt, isOld: false, unsent: bytesUnsent(pulse.stream) }
  socket.ping()
}
