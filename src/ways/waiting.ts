// The stream of an upgrade while somebody takes time over the answer, whatever it is: who reads it, what is read ahead of the
// answer to see the client leave, and the end of a client that does not read its refusal.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { clearInterval, setInterval } from '../clock'

// Bytes that are read ahead of an answer. Past them flow control holds the client back, and its leaving is seen later.
const BOUND = 64 * 1024

/** How many listeners read from the stream. */
export function countReaders (stream: Duplex): number {
  return stream.listenerCount('data') + stream.listenerCount('readable')
}

/**
 * Lets go of a client that closes its half while an upgrade waits for its answer. Reads ahead for that, because the end of
 * a stream comes after its bytes. Call the result before anybody else reads: it puts the bytes back. Where somebody begins to
 * read without that, it steps back by itself and tells.
 */
export function readAhead (stream: Duplex, isTaken: () => boolean, onOtherReader: () => void): () => void {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', collect)
  stream.on('end', onEnd)
  stream.on('newListener', onNewListener)
  return putBack

  function collect (chunk: Buffer): void {
    chunks.push(chunk)
    size += chunk.length
    if (size > BOUND) stream.pause()
  }

  function onEnd (): void {
    if (!isTaken()) stream.destroy()
  }

  function onNewListener (event: string | symbol): void {
    if (event !== 'data' && event !== 'readable') return
    putBack()
    onOtherReader()
  }

  function putBack (): void {
    stream.off('newListener', onNewListener)
    stream.off('data', collect)
    stream.off('end', onEnd)
    const isPausedByOther = size <= BOUND && stream.isPaused()
    stream.pause()
    if (chunks.length > 0) stream.unshift(Buffer.concat(chunks))
    // In the next tick, when the next reader listens. A socket that was paused does not flow by a listener alone.
    if (!isPausedByOther) stream.resume()
  }
}

/**
 * Nothing flows until somebody reads, by whichever way. Node hands sockets to 'upgrade' listeners like that, and documents the
 * property, which it sets itself there, as one to read.
 */
export function stopFlow (stream: Duplex): void {
  stream.pause()
  Object.assign(stream, { readableFlowing: null })
}

/**
 * Cuts a client that stops reading its response for so many milliseconds. A response that is slow by itself may take longer.
 * A Duplex that is no socket has no such limit of its own.
 */
export function limitStall (stream: Duplex, patience: number): void {
  if (canTimeOut(stream)) {
    stream.setTimeout(patience)
    stream.on('timeout', onStalled)
    return
  }
  let before = -1
  const timer = setInterval(() => {
    if (stream.writableLength === before) onStalled.call(stream)
    before = stream.writableLength
  }, patience).unref()
  stream.on('close', () => { clearInterval(timer) })
}

function canTimeOut (stream: Duplex): stream is Socket {
  return 'setTimeout' in stream
}

function onStalled (this: Duplex): void {
  if (this.writableLength > 0 || this.writableEnded) this.destroy()
}
