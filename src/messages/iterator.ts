// socket.messages(): who asks for the next message gets it when it comes. It ends when the connection has closed and nothing waits
// any more, when its reader leaves the loop, and by a signal. Whatever ends it, nothing of it is left on the socket.

import { NOTHING } from './channel'
import type { Channel } from './channel'

interface Asking {
  resolve: (result: IteratorResult<unknown, undefined>) => void
  reject: (error: unknown) => void
}

const DONE = { value: undefined, done: true } as const

export class MessageIterator implements AsyncIterableIterator<unknown, undefined, undefined> {
  readonly #channel: Channel
  readonly #signal: AbortSignal | undefined
  readonly #asking: Asking[] = []
  #isTaking = false
  #isOver = false
  /** What the signal gave, until somebody was told. */
  #failure: { reason: unknown } | undefined

  constructor (channel: Channel, signal: AbortSignal | undefined) {
    this.#channel = channel
    this.#signal = signal
    channel.open(this.#serve)
    if (signal?.aborted === true) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort)
  }

  [Symbol.asyncIterator] (): this {
    return this
  }

  next (): Promise<IteratorResult<unknown, undefined>> {
    const isFirst = this.#asking.length === 0 && !this.#isOver
    const taken = isFirst ? this.#channel.take() : NOTHING
    if (taken !== NOTHING && !(taken instanceof Promise)) return Promise.resolve({ value: taken, done: false })
    const asked = new Promise<IteratorResult<unknown, undefined>>((resolve, reject) => { this.#asking.push({ resolve, reject }) })
    if (taken !== NOTHING) this.#await(taken)
    else if (this.#isOver) this.#tellEnd()
    else if (isFirst) this.#endIfClosed()
    return asked
  }

  async return (): Promise<IteratorResult<unknown, undefined>> {
    this.#end()
    return DONE
  }

  async throw (error: unknown): Promise<IteratorResult<unknown, undefined>> {
    this.#end()
    throw error
  }

  // There is something to take, or the connection has closed.
  readonly #serve = (): void => {
    while (this.#asking.length > 0 && !this.#isTaking) {
      const taken = this.#channel.take()
      if (taken instanceof Promise) return this.#await(taken)
      if (taken === NOTHING) return this.#endIfClosed()
      this.#give(taken)
    }
  }

  #await (taken: Promise<unknown>): void {
    this.#isTaking = true
    taken.then(value => {
      this.#isTaking = false
      if (value !== NOTHING) this.#give(value)
      this.#serve()
    })
  }

  #give (value: unknown): void {
    this.#asking.shift()?.resolve({ value, done: false })
  }

  #endIfClosed (): void {
    if (this.#channel.isEnded) this.#end()
  }

  #end (): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#channel.close()
    this.#tellEnd()
  }

  #tellEnd (): void {
    for (const { resolve, reject } of this.#asking.splice(0)) {
      const failure = this.#failure
      this.#failure = undefined
      if (failure === undefined) resolve(DONE)
      else reject(failure.reason)
    }
  }

  readonly #onAbort = (): void => {
    this.#failure = { reason: this.#signal?.reason }
    this.#end()
  }
}
