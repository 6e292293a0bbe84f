// The raw socket of an upgrade, between Node's HTTP parser, which has let go of it, and whoever answers.
// What Node took off it is put back here: without it a reset ends the process, a streamed response stops, a client that
// leaves goes unnoticed.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { countReaders } from './waiting'

/**
 * Stands in for the listeners that Node takes off before 'upgrade': without an 'error' listener a reset by the client ends
 * the process, and without a 'drain' listener a streamed response, also an earlier one, stops at the first full buffer.
 * A socket that is guarded already stays as it is.
 */
export function guardSocket (rawSocket: Socket): void {
  unguardSocket(rawSocket)
  rawSocket.on('error', destroySocket)
  rawSocket.on('drain', onDrain)
}

export function unguardSocket (rawSocket: Socket): void {
  rawSocket.off('error', destroySocket)
  rawSocket.off('drain', onDrain)
}

/**
 * Waits until earlier responses on the connection (pipelining) are out. Does nothing when it ends with one of them. A
 * client that closes its half meanwhile is let go, as Node does.
 */
export function afterEarlierResponses (rawSocket: Socket, onTurn: () => void): void {
  const earlier = responseOn(rawSocket)
  if (earlier === undefined) return onTurn()
  earlier.once('close', onEarlierClosed)
  rawSocket.on('end', destroySocket)

  function onEarlierClosed (): void {
    rawSocket.off('end', destroySocket)
    if (!rawSocket.writable) return
    // While much was unsent Node has stopped reading, unknown to the stream: an empty push makes it ask for more.
    rawSocket.push('')
    afterEarlierResponses(rawSocket, onTurn)
  }
}

/**
 * How to tell later whether another 'upgrade' listener has answered the upgrade, or has begun to read from its socket.
 * While an earlier response is under way, what is written may be that.
 */
export function watchForOthers (rawRequest: IncomingMessage, rawSocket: Socket): () => boolean {
  const bytesBefore = responseOn(rawSocket) === undefined ? rawSocket.bytesWritten : undefined
  return function isTaken () {
    return rawSocket.destroyed || rawSocket.writableEnded || countReaders(rawSocket) > 0 || responseOn(rawSocket)?.req === rawRequest ||
      (bytesBefore !== undefined && rawSocket.bytesWritten !== bytesBefore)
  }
}

/**
 * The response that owns a socket now. Node has no public way to ask; ServerResponse.assignSocket throws when there is
 * one, and all supported versions keep it in this property.
 */
export function responseOn (rawSocket: Socket): ServerResponse | undefined {
  return (rawSocket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

function onDrain (this: Socket): void {
  responseOn(this)?.emit('drain')
}

function destroySocket (this: Socket): void {
  this.destroy()
}
