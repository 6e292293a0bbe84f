// The raw socket of an upgrade, between Node's HTTP parser, which has let go of it, and whoever answers.
// What Node took off it is put back here: without it a reset ends the process, a streamed response stops, a client that
// leaves goes unnoticed.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

// Bytes that are read ahead of an answer. Past them TCP holds the client back, and its leaving is seen later.
const BOUND = 64 * 1024

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
 * Lets go of a client that closes its half while an upgrade waits for its answer. Reads ahead for that, because the end of
 * a stream comes after its bytes. Call the result before anybody else reads: it puts the bytes back.
 */
export function readAhead (rawSocket: Socket): () => void {
  const chunks: Buffer[] = []
  let size = 0
  rawSocket.on('data', collect)
  rawSocket.on('end', destroySocket)
  return putBack

  function collect (chunk: Buffer): void {
    chunks.push(chunk)
    size += chunk.length
    if (size > BOUND) rawSocket.pause()
  }

  function putBack (): void {
    rawSocket.off('data', collect)
    rawSocket.off('end', destroySocket)
    rawSocket.pause()
    if (chunks.length > 0) rawSocket.unshift(Buffer.concat(chunks))
    // In the next tick, when the next reader listens. A socket that was paused does not flow by a listener alone.
    rawSocket.resume()
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
