// What is sent on one socket, and when the system has it. A system that is ready takes it at once, and to see that is cheaper than to
// be told: so it is told only where it takes its time, and then from there on (TLS and HTTP/2 always do).
// What is small goes straight to the stream as one piece, which costs less than the two that ws makes of it, where nothing of the
// socket's own is under way and nobody else wants to see what is sent. Otherwise it goes by socket.send().

import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { deflateOf, isIdle, streamOf } from '../beneath'
import { FST_WS_MESSAGES_CLOSED } from '../errors'
import { BINARY, frameOf, frameOfText, TEXT } from '../frame'
import { hasPlainSend, tellSent } from '../sent'
import { handled } from '../thenable'

type Done = (cause?: Error | null) => void

// Past it a piece more costs less than to copy it.
const MOST_FRAMED = 16 * 1024
const EMPTY = Buffer.alloc(0)
const SENT = Promise.resolve()

export class Outbox {
  readonly #socket: WebSocket
  readonly #isBinary: boolean
  /** Undefined where it is not known, and where what is sent is compressed before. */
  readonly #stream: Duplex | undefined
  #isPrompt: boolean

  constructor (socket: WebSocket, isBinary: boolean) {
    this.#socket = socket
    this.#isBinary = isBinary
    this.#stream = deflateOf(socket) === undefined ? streamOf(socket) : undefined
    this.#isPrompt = this.#stream !== undefined
  }

  /** Resolves when the system has taken it. Nobody has to catch that a client has left. */
  send (data: string | Uint8Array): Promise<void> {
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return handled(Promise.reject(new FST_WS_MESSAGES_CLOSED()))
    if (!this.#isPrompt || socket.bufferedAmount > 0) return told(done => { this.#write(data, done) })
    this.#write(data)
    if (socket.bufferedAmount === 0) return SENT
    this.#isPrompt = false
    return told(done => { this.#stream?.write(EMPTY, done) })
  }

  #write (data: string | Uint8Array, done?: Done): void {
    const stream = this.#stream
    if (stream === undefined || data.length > MOST_FRAMED || !this.#isClear(stream)) return this.#socket.send(data, { binary: this.#isBinary }, done)
    const first = this.#isBinary ? BINARY : TEXT
    stream.write(typeof data === 'string' ? frameOfText(first, data) : frameOf(first, data), 'latin1', done)
    tellSent(this.#socket, data)
  }

  #isClear (stream: Duplex): boolean {
    const socket = this.#socket
    return isIdle(socket) && hasPlainSend(socket) && socket.bufferedAmount === stream.writableLength
  }
}

/** Resolves when the system has what was written. */
function told (write: (done: Done) => void): Promise<void> {
  const sent = new Promise<void>((resolve, reject) => {
    write(cause => {
      if (cause == null) return resolve()
      reject(new FST_WS_MESSAGES_CLOSED({ cause }))
      handled(sent)
    })
  })
  return sent
}
