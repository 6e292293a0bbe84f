// The raw socket of an upgrade, between Node's HTTP parser, which has let go of it, and whoever answers.
// What Node took off it is put back here: without it a reset ends the process, a streamed response stops, a client that
// leaves goes unnoticed.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { clearInterval, setInterval } from '../clock'

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

/** How many listeners read from the socket. */
export function countReaders (rawSocket: Socket): number {
  return rawSocket.listenerCount('data') + rawSocket.listenerCount('readable')
}

/**
 * Lets go of a client that closes its half while an upgrade waits for its answer. Reads ahead for that, because the end of
 * a stream comes after its bytes. Call the result before anybody else reads: it puts the bytes back. Where somebody begins to
 * read without that, it steps back by itself and tells.
 */
export function readAhead (rawSocket: Socket, isTaken: () => boolean, onOtherReader: () => void): () => void {
  const chunks: Buffer[] = []
  let size = 0
  rawSocket.on('data', collect)
  rawSocket.on('end', onEnd)
  rawSocket.on('newListener', onNewListener)
  return putBack

  function collect (chunk: Buffer): void {
    chunks.push(chunk)
    size += chunk.length
    if (size > BOUND) rawSocket.pause()
  }

  function onEnd (): void {
    if (!isTaken()) rawSocket.destroy()
  }

  function onNewListener (event: string | symbol): void {
    if (event !== 'data' && event !== 'readable') return
    putBack()
    onOtherReader()
  }

  function putBack (): void {
    rawSocket.off('newListener', onNewListener)
    rawSocket.off('data', collect)
    rawSocket.off('end', onEnd)
    const isPausedByOther = size <= BOUND && rawSocket.isPaused()
    rawSocket.pause()
    if (chunks.length > 0) rawSocket.unshift(Buffer.concat(chunks))
    // In the next tick, when the next reader listens. A socket that was paused does not flow by a listener alone.
    if (!isPausedByOther) rawSocket.resume()
  }
}

/**
 * Nothing flows until somebody reads, by whichever way. Node hands sockets to 'upgrade' listeners like that, and documents the
 * property, which it sets itself there, as one to read.
 */
export function stopFlow (rawSocket: Socket): void {
  rawSocket.pause()
  Object.assign(rawSocket, { readableFlowing: null })
}

/**
 * Cuts a client that stops reading its response for so many milliseconds. A response that is slow by itself may take longer.
 * A Duplex that is no socket has no such limit of its own.
 */
export function limitStall (rawSocket: Socket, patience: number): void {
  if ('setTimeout' in rawSocket) {
    rawSocket.setTimeout(patience)
    rawSocket.on('timeout', onStalled)
    return
  }
  const stream: Duplex = rawSocket
  let before = -1
  const timer = setInterval(() => {
    if (stream.writableLength === before) onStalled.call(stream)
    before = stream.writableLength
  }, patience).unref()
  stream.on('close', () => { clearInterval(timer) })
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

function onStalled (this: Duplex): void {
  if (this.writableLength > 0 || this.writableEnded) this.destroy()
}
