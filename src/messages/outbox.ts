// What is sent on one socket, and when the system has it. A system that is ready takes it at once, and to see that is cheaper than to
// be told: so it is told only where it takes its time, and then from there on (TLS and HTTP/2 always do).

import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { deflateOf, streamOf } from '../beneath'
import { FST_WS_MESSAGES_CLOSED } from '../errors'
import { handled } from '../thenable'

const TEXT = { binary: false }
const BINARY = { binary: true }
const EMPTY = Buffer.alloc(0)
const SENT = Promise.resolve()

export class Outbox {
  readonly #socket: WebSocket
  readonly #kind: { binary: boolean }
  /** Undefined where it takes its time, where it is not known, and where what is sent is compressed before. */
  #stream: Duplex | undefined

  constructor (socket: WebSocket, isBinary: boolean) {
    this.#socket = socket
    this.#kind = isBinary ? BINARY : TEXT
    this.#stream = deflateOf(socket) === undefined ? streamOf(socket) : undefined
  }

  /** Resolves when the system has taken it. Nobody has to catch that a client has left. */
  send (data: string | Uint8Array): Promise<void> {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return handled(Promise.reject(new FST_WS_MESSAGES_CLOSED()))
    const stream = this.#stream
    if (stream === undefined || socket.bufferedAmount > 0) return told(done => { socket.send(data, this.#kind, done) })
    socket.send(data, this.#kind)
    if (socket.bufferedAmount === 0) return SENT
    this.#stream = undefined
    return told(done => { stream.write(EMPTY, done) })
  }
}

/** Resolves when the system has what was written. */
function told (write: (done: (cause?: Error | null) => void) => void): Promise<void> {
  const sent = new Promise<void>((resolve, reject) => {
    write(cause => {
      if (cause == null) return resolve()
      reject(new FST_WS_MESSAGES_CLOSED({ cause }))
      handled(sent)
    })
  })
  return sent
}
