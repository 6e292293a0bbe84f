// What becomes of an invalid message: what the application chose. The log tells of the first of a connection and of no other, or a
// client could fill it.

import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { InvalidMessageError, MessagesOptions } from '../../types/messages'
import { failLater } from '../connection'
import { endWith } from '../ending'
import { isThenable } from '../thenable'
import { reasonOf } from './invalid'

export type OnInvalid = NonNullable<MessagesOptions['invalid']>

export class Refusal {
  readonly #socket: WebSocket
  readonly #onInvalid: OnInvalid
  readonly #log: FastifyBaseLogger
  /** Kept only where the application is to get it. */
  readonly #request: FastifyRequest | undefined
  #isTold = false

  constructor (socket: WebSocket, onInvalid: OnInvalid, request: FastifyRequest) {
    this.#socket = socket
    this.#onInvalid = onInvalid
    this.#log = request.log
    this.#request = typeof onInvalid === 'function' ? request : undefined
  }

  /** Whether nothing is delivered any more. */
  get isFinal (): boolean {
    return this.#onInvalid === 'close'
  }

  /** What has to be waited for before the next message, if anything. It does not reject. */
  refuse (error: InvalidMessageError, sendError: (error: InvalidMessageError) => Promise<void>): Promise<void> | undefined {
    if (!this.#isTold) this.#log.info({ err: error }, 'invalid websocket message')
    this.#isTold = true
    switch (this.#onInvalid) {
      case 'close': return this.#close(error)
      // A client that does not read what is wrong is not read either.
      case 'reply': return sendError(error).catch(() => {})
      case 'drop': return
      default: return this.#ask(this.#onInvalid, error)
    }
  }

  #close (error: InvalidMessageError): undefined {
    endWith(this.#socket, { code: error.closeCode, reason: reasonOf(error) })
  }

  #ask (onInvalid: Extract<OnInvalid, (...args: never) => unknown>, error: InvalidMessageError): Promise<void> | undefined {
    const socket = this.#socket
    try {
      const result = onInvalid(error, socket, this.#request as FastifyRequest)
      if (isThenable(result)) return Promise.resolve(result).then(() => {}, failure => { failLater(socket, failure) })
    } catch (failure) {
      failLater(socket, failure)
    }
  }
}
