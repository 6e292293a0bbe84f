// The route option onMessage: the messages of a socket are handed to it, so many at once, in order. Those beyond that wait in the
// channel, which holds the client back. What it throws is an error of the handler, and the next message is handed to it all the
// same, as long as the connection is open.

import type { WebSocket } from 'ws'
import { isThenable } from '../thenable'
import { NOTHING } from './channel'
import type { Channel } from './channel'
import { failUnlessLeft } from './leaving'

export class Consumer {
  readonly #channel: Channel
  readonly #socket: WebSocket
  readonly #handle: (message: unknown) => unknown
  readonly #concurrency: number
  #active = 0
  #isStarted = false

  /** Messages wait from now on. */
  constructor (channel: Channel, socket: WebSocket, handle: (message: unknown) => unknown, concurrency: number) {
    this.#channel = channel
    this.#socket = socket
    this.#handle = handle
    this.#concurrency = concurrency
    channel.open(this.#serve)
  }

  start (): void {
    this.#isStarted = true
    this.#serve()
  }

  readonly #serve = (): void => {
    while (this.#isStarted && this.#active < this.#concurrency) {
      const taken = this.#channel.take()
      if (taken === NOTHING) return
      if (taken instanceof Promise) this.#await(taken.then(this.#run))
      else this.#run(taken)
    }
  }

  readonly #run = (message: unknown): void => {
    if (message === NOTHING) return
    try {
      const result = this.#handle(message)
      if (isThenable(result)) this.#await(result)
    } catch (error) {
      failUnlessLeft(this.#socket, error)
    }
  }

  #await (result: PromiseLike<unknown>): void {
    this.#active++
    Promise.resolve(result).then(this.#onDone, this.#onFailed)
  }

  readonly #onDone = (): void => {
    this.#active--
    this.#serve()
  }

  readonly #onFailed = (error: unknown): void => {
    failUnlessLeft(this.#socket, error)
    this.#onDone()
  }
}
