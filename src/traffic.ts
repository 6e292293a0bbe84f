// The messages of a socket, for options that count them: as ws has received them, before anybody else may hold them, and as
// the application sends them. A listener would have its turn among the application's; and the function that is put in front of
// emit is the same for all sockets, so that a socket pays for no closure.

import type { WebSocket } from 'ws'
import { emitOf, standInFront } from './emit'
import { countSent } from './sent'

/** Somebody who counts. */
export interface Tap {
  /** A message has arrived: the arguments of its event. False keeps it from whoever comes after. */
  onMessage?: (socket: WebSocket, args: unknown[]) => boolean
  /** The application has sent a message. */
  onSend?: (socket: WebSocket) => void
}

const kTaps = Symbol('fastify-wss.taps')

type Tapped = WebSocket & { [kTaps]?: Tap[] }

export function tapMessages (socket: WebSocket, tap: Tap): void {
  const taps = (socket as Tapped)[kTaps] ?? startCounting(socket)
  if (tap.onSend !== undefined && taps.every(({ onSend }) => onSend === undefined)) countSent(socket, tellTaps)
  taps.push(tap)
}

function startCounting (socket: Tapped): Tap[] {
  const taps: Tap[] = []
  socket[kTaps] = taps
  standInFront(socket, emitTapped)
  return taps
}

function emitTapped (this: Tapped, event: string | symbol, ...args: unknown[]): boolean {
  if (event === 'message') {
    for (const tap of tapsOf(this)) if (tap.onMessage?.(this, args) === false) return true
  }
  return emitOf(this).call(this, event, ...args)
}

function tellTaps (socket: WebSocket): void {
  for (const tap of tapsOf(socket)) tap.onSend?.(socket)
}

function tapsOf (socket: Tapped): Tap[] {
  return socket[kTaps] as Tap[]
}
