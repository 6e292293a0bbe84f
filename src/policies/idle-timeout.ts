// idleTimeout: a connection on which nothing is said is closed. Only messages count, of either side: pings and pongs tell that
// a client is there, not that it is of use. A client that is held back on purpose (a paused socket) is not idle.

import type { WebSocket } from 'ws'
import { fail } from '../check'
import { now } from '../clock'
import { endWith, readTerm } from '../ending'
import type { Ending } from '../ending'
import type { Policy, PolicyKind } from '../policy'
import { sweepOf } from '../sweep'
import { tapMessages } from '../traffic'
import type { Tap } from '../traffic'
import type { Registration } from './index'

interface Silence {
  timeout: number
  ending: Ending
  since: number
}

const ENDING = { code: 1001, reason: 'idle' }

const kSilence = Symbol('fastify-wss.silence')

type Watched = WebSocket & { [kSilence]?: Silence }

const TAP: Tap = {
  onMessage (socket) {
    startAnew(socket)
    return true
  },
  onSend: startAnew
}

export function idleTimeout ({ websocketServer }: Registration): PolicyKind {
  return { name: 'idleTimeout', read }

  function read (value: unknown, name: string): (() => Policy) | undefined {
    const ending = readTerm(name, value, ENDING)
    if (ending === undefined) return
    const { timeout } = ending
    if (timeout === undefined) fail(`${name}.timeout`, 'is needed', timeout)
    return () => ({
      open ({ socket }) {
        const watched: Watched = socket
        watched[kSilence] = { timeout, ending, since: now() }
        tapMessages(socket, TAP)
        sweepOf(websocketServer).lookAt(look, now() + timeout)
        return undefined
      }
    })
  }
}

function startAnew (socket: Watched): void {
  const silence = socket[kSilence] as Silence
  silence.since = now()
}

function look (socket: Watched, time: number): number {
  const { [kSilence]: silence } = socket
  if (silence === undefined) return Infinity
  if (socket.isPaused) silence.since = time
  const end = silence.since + silence.timeout
  if (time < end) return end
  endWith(socket, silence.ending)
  return Infinity
}
