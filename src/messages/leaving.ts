// A client may leave at any time. So a handler that ends because there is nobody any more to send to ends as it should, and the log
// has no errors of it.

import type { WebSocket } from 'ws'
import { failLater } from '../connection'
import { FST_WS_MESSAGES_CLOSED } from '../errors'

/** Throws the error of a handler, unless that is all it is. */
export function throwUnlessLeft (socket: WebSocket, error: unknown): void {
  if (!(error instanceof FST_WS_MESSAGES_CLOSED) || socket.readyState === socket.OPEN) throw error
}

/** The same for what has no caller. */
export function failUnlessLeft (socket: WebSocket, error: unknown): void {
  try {
    throwUnlessLeft(socket, error)
  } catch {
    failLater(socket, error)
  }
}
