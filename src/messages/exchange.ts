// Requests and replies of one socket. What was asked of the client has an end: its reply, a time, a signal, the connection. Who
// asks in which message is known by the message itself, as long as the application has it.

import type { RequestOptions } from '../../types/messages'
import { clearTimeout, setTimeout } from '../clock'
import { FST_WS_MESSAGES_TIMEOUT } from '../errors'
import type { Id } from './envelope'

interface Pending {
  resolve: (reply: unknown) => void
  reject: (error: unknown) => void
}

const TIMEOUT = 10_000

export class Exchange {
  readonly #pending = new Map<Id, Pending>()
  readonly #asked = new WeakMap<object, Id>()
  #lastId = 0

  /** Whether the client owes a reply. */
  get isWaiting (): boolean {
    return this.#pending.size > 0
  }

  isAwaited (id: Id | undefined): id is Id {
    return id !== undefined && this.#pending.has(id)
  }

  ask (send: (id: Id) => Promise<void>, { timeout = TIMEOUT, signal }: RequestOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason)
      const id = String(++this.#lastId)
      const timer = setTimeout(() => { pending.reject(new FST_WS_MESSAGES_TIMEOUT(timeout)) }, timeout).unref()
      const pending = this.#await(id, { resolve, reject }, () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      })
      signal?.addEventListener('abort', onAbort)
      send(id).catch(pending.reject)

      function onAbort (this: AbortSignal): void {
        pending.reject(this.reason)
      }
    })
  }

  /** One that nobody waits for any more comes too late. */
  settle (id: Id, read: () => unknown): void {
    const pending = this.#pending.get(id)
    try {
      pending?.resolve(read())
    } catch (error) {
      pending?.reject(error)
    }
  }

  /** The client wants a reply to this message. */
  note (message: unknown, id: Id): void {
    if (typeof message === 'object' && message !== null) this.#asked.set(message, id)
  }

  /** Once for each. */
  takeId (message: unknown): Id | undefined {
    if (typeof message !== 'object' || message === null) return
    const id = this.#asked.get(message)
    this.#asked.delete(message)
    return id
  }

  end (error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error)
  }

  #await (id: Id, { resolve, reject }: Pending, settle: () => void): Pending {
    const pending: Pending = {
      resolve: reply => {
        this.#pending.delete(id)
        settle()
        resolve(reply)
      },
      reject: error => {
        this.#pending.delete(id)
        settle()
        reject(error)
      }
    }
    this.#pending.set(id, pending)
    return pending
  }
}
