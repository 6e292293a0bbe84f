// The messages of a socket, for options that count them: as ws has received them, before anybody else may hold them, and as
// the application sends them. A listener would have its turn among the application's; and the functions that are put in front
// of emit and send are the same for all sockets, so that a socket pays for no closure.

import type { WebSocket } from 'ws'
import { emitOf, standInFront } from './emit'

type Send = WebSocket['send']

/** Somebody who counts. */
export interface Tap {
  /** A message has arrived: the arguments of its event. False keeps it from whoever comes after. */
  onMessage?: (socket: WebSocket, args: unknown[]) => boolean
  /** The application has sent a message. */
  onSend?: (socket: WebSocket) => void
}

interface Traffic {
  taps: Tap[]
  send: Send
}

const kTraffic = Symbol('fastify-wss.taps')

type Tapped = WebSocket & { [kTraffic]?: Traffic }

export function tapMessages (socket: WebSocket, tap: Tap): void {
  const { taps } = (socket as Tapped)[kTraffic] ?? startCounting(socket)
  if (tap.onSend !== undefined && taps.every(({ onSend }) => onSend === undefined)) tapSend(socket)
  taps.push(tap)
}

function startCounting (socket: Tapped): Traffic {
  const traffic: Traffic = { taps: [], send: socket.send }
  socket[kTraffic] = traffic
  standInFront(socket, emitTapped)
  return traffic
}

function emitTapped (this: Tapped, event: string | symbol, ...args: unknown[]): boolean {
  if (event === 'message') {
    for (const tap of trafficOf(this).taps) if (tap.onMessage?.(this, args) === false) return true
  }
  return emitOf(this).call(this, event, ...args)
}

function tapSend (socket: WebSocket): void {
  trafficOf(socket).send = socket.send
  Object.defineProperty(socket, 'send', { value: sendTapped, configurable: true, writable: true, enumerable: false })
}

function sendTapped (this: Tapped, ...args: unknown[]): void {
  const { taps, send } = trafficOf(this)
  Reflect.apply(send, this, args)
  for (const tap of taps) tap.onSend?.(this)
}

function trafficOf (socket: Tapped): Traffic {
  return socket[kTraffic] as Traffic
}
