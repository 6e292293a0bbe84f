// maxLifetime and socket.expiresAt(): a connection that was let in on a token, or for a while, ends when that does. What its
// client sends from then on is not delivered. A date may be moved, but never past the lifetime that the route allows.

import type { WebSocket, WebSocketServer } from 'ws'
import { now } from '../clock'
import { endWith, readTerm } from '../ending'
import type { Ending } from '../ending'
import { FST_WS_INVALID_DATE } from '../errors'
import type { Policy, PolicyKind } from '../policy'
import { extendSockets } from '../socket-class'
import type { SocketClass } from '../socket-class'
import { sweepOf } from '../sweep'
import { tapMessages } from '../traffic'
import type { Tap } from '../traffic'
import type { Registration } from './index'

interface Lifetime {
  /** In the time of now(), which no clock that is set can stretch. */
  end: number
  /** By the calendar: milliseconds since 1970. */
  date: number
  ending: Ending
}

const ENDING = { code: 1008, reason: 'expired' }

const kLifetime = Symbol('fastify-wss.lifetime')

type Mortal = WebSocket & { [kLifetime]?: Lifetime }

const DEAF: Tap = { onMessage: () => false }

export function maxLifetime ({ websocketServer }: Registration): PolicyKind {
  extendSockets(websocketServer, Base => withExpiry(Base, websocketServer))
  return { name: 'maxLifetime', read }

  function read (value: unknown, name: string): (() => Policy) | undefined {
    const ending = readTerm(name, value, ENDING)
    return ending && (() => ({
      open ({ socket }) {
        const mortal: Mortal = socket
        mortal[kLifetime] = { end: now() + (ending.timeout ?? Infinity), date: Infinity, ending }
        sweepOf(websocketServer).lookAt(look, mortal[kLifetime].end)
        return undefined
      }
    }))
  }
}

function withExpiry (Base: SocketClass, websocketServer: WebSocketServer): SocketClass {
  return class extends Base {
    expiresAt (date: unknown): void {
      const time = date instanceof Date ? date.getTime() : date
      if (typeof time !== 'number' || Number.isNaN(time)) throw new FST_WS_INVALID_DATE(String(date))
      if (this.readyState !== this.OPEN) return
      const mortal: Mortal = this
      mortal[kLifetime] ??= { end: Infinity, date: Infinity, ending: ENDING }
      mortal[kLifetime].date = time
      sweepOf(websocketServer).lookAt(look, look(this, now()))
    }
  }
}

function look (socket: Mortal, time: number): number {
  const { [kLifetime]: lifetime } = socket
  if (lifetime === undefined) return Infinity
  const left = Math.min(lifetime.end - time, lifetime.date - Date.now())
  if (left > 0) return time + left
  tapMessages(socket, DEAF)
  endWith(socket, lifetime.ending)
  return Infinity
}
