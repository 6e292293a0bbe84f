// The places that connections take up, so many for each key. One is free again when its stream closes, whether the upgrade
// was accepted, taken or broke off, and before that when it was refused and the response is out.

import type { PendingUpgrade } from './upgrade'

/** Seconds after which a client that found none may try again. */
export const RETRY_AFTER = 10

export class Places {
  readonly #taken = new Map<string, number>()

  /** False where there is none left. A client that has gone takes none. */
  take (key: string, limit: number, { stream, rawResponse }: PendingUpgrade): boolean {
    const taken = this.#taken.get(key) ?? 0
    if (stream.destroyed) return true
    if (taken >= limit) return false
    this.#taken.set(key, taken + 1)
    const free = this.#leaverOf(key)
    stream.on('close', free)
    rawResponse.on('finish', free)
    return true
  }

  // Lives as long as the stream, so it holds on to nothing of the upgrade.
  #leaverOf (key: string): () => void {
    let isFree = false
    return () => {
      if (isFree) return
      isFree = true
      const left = Number(this.#taken.get(key)) - 1
      if (left > 0) this.#taken.set(key, left)
      else this.#taken.delete(key)
    }
  }
}
