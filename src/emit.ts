// Whoever has a say in the events of a socket stands in front of its emit, and hands on what is to be heard. Several may
// stand there, the last one first; and one that is always the first, whoever comes after it.

import type { WebSocket } from 'ws'

export type Emit = (this: WebSocket, event: string | symbol, ...args: unknown[]) => boolean

const kBehind = Symbol('fastify-wss.behind')

type Fronted = WebSocket & { [kBehind]?: Emit }

/** What to hand on to. */
export function emitOf (socket: WebSocket): Emit {
  return (socket as Fronted)[kBehind] ?? socket.emit
}

/** Also put back by this. */
export function replaceEmit (socket: WebSocket, emit: Emit): void {
  const fronted: Fronted = socket
  if (fronted[kBehind] === undefined) define(socket, emit)
  else fronted[kBehind] = emit
}

export function standInFront (socket: WebSocket, front: Emit): void {
  const fronted: Fronted = socket
  fronted[kBehind] = socket.emit
  define(socket, front)
}

// Deleting a property, to put it back, would make the socket a slower and larger object.
function define (socket: WebSocket, emit: Emit): void {
  Object.defineProperty(socket, 'emit', { value: emit, configurable: true, writable: true, enumerable: false })
}
