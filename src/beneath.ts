// What a websocket stands on, for whoever writes frames of its own: ws keeps both to itself, and another implementation of ws
// (that of Bun) may have neither. Whoever asks has to get along without.

import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** What was agreed on of permessage-deflate (RFC 7692 section 7.1). */
export interface Deflate {
  serverNoContextTakeover: boolean
  serverMaxWindowBits: number
}

interface Extension {
  params?: { server_no_context_takeover?: boolean, server_max_window_bits?: number }
}

/** The stream that ws writes the frames of an open socket to. Bun has one too, but what it sends itself it writes past it. */
export function streamOf (socket: WebSocket): Duplex | undefined {
  const { _socket: stream, _sender: sender }: { _socket?: Duplex | null, _sender?: { _socket?: unknown } | null } = socket as object
  if (stream == null || sender?._socket !== stream) return
  return typeof stream.cork === 'function' && typeof stream.writableLength === 'number' ? stream : undefined
}

/**
 * Whether ws has written to that stream whatever it was given: it compresses nothing, reads no Blob, and has no message in fragments
 * open.
 */
export function isIdle (socket: WebSocket): boolean {
  const { _sender: sender }: { _sender?: { _state?: unknown, _firstFragment?: unknown } | null } = socket as object
  return sender?._state === 0 && sender._firstFragment === true
}

/** Undefined where messages are not compressed. */
export function deflateOf (socket: WebSocket): Deflate | undefined {
  const { _extensions: extensions }: { _extensions?: Record<string, Extension> } = socket as object
  const params = extensions?.['permessage-deflate']?.params
  return params && {
    serverNoContextTakeover: params.server_no_context_takeover === true,
    serverMaxWindowBits: params.server_max_window_bits ?? 15
  }
}
