// What moves on a stream, to the byte: of a frame that is not whole yet, ws tells nothing.

import type { Http2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'

interface Handle {
  writeQueueSize?: number
  /** Of TLS: what it is on. */
  _parent?: { writeQueueSize?: number }
}

const counts = new WeakMap<Duplex, number>()

/** Bytes that have arrived, from the first call on. A net.Socket counts by itself; for any other stream a listener does. */
export function bytesReceived (stream: Duplex): number {
  if ('bytesRead' in stream) return Number(stream.bytesRead)
  const count = counts.get(stream)
  if (count === undefined) {
    counts.set(stream, 0)
    stream.on('data', onData)
  }
  return count ?? 0
}

function onData (this: Duplex, chunk: Buffer): void {
  counts.set(this, Number(counts.get(this)) + chunk.length)
}

/**
 * Bytes of the write under way that the system has not taken yet; 0 where that is not known. What Node documents,
 * writableLength, stands still while megabytes are on their way: all that waits is one write, which counts to its last byte.
 * On TLS it has two parts, the second of which moves. The bytes of a stream of HTTP/2 wait for the client to open a window. There it is
 * no count, but moves while any are sent.
 */
export function bytesUnsent (stream: Duplex): number {
  if (isHttp2(stream)) return stream.writableLength > 0 ? stream.session?.socket.bytesWritten ?? 0 : 0
  const { _handle: handle }: { _handle?: Handle | null } = stream as object
  return (handle?.writeQueueSize ?? 0) + (handle?._parent?.writeQueueSize ?? 0)
}

function isHttp2 (stream: Duplex): stream is Http2Stream {
  return 'session' in stream
}
