// Whoever has a say in the events of a socket stands in front of its emit, and hands on what is to be heard. Several may
// stand there, the last one first.

import type { WebSocket } from 'ws'

export type Emit = (this: WebSocket, event: string | symbol, ...args: unknown[]) => boolean

/** Also put back by this: deleting a property would make the socket a slower and larger object. */
export function replaceEmit (socket: WebSocket, emit: Emit): void {
  Object.defineProperty(socket, 'emit', { value: emit, configurable: true, writable: true, enumerable: false })
}
