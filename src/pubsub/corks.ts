// What goes out on a stream in one tick goes out by one write: a stream is corked at its first message and uncorked when the
// code that publishes has run, before anything else does.

import type { Duplex } from 'node:stream'

export interface Corked {
  isCorked: boolean
  readonly stream: Duplex | undefined
}

export class Corks {
  #corked: Corked[] = []

  cork (corked: Corked): void {
    if (corked.isCorked) return
    corked.isCorked = true
    corked.stream?.cork()
    if (this.#corked.push(corked) === 1) process.nextTick(this.#uncorkAll)
  }

  readonly #uncorkAll = (): void => {
    const all = this.#corked
    this.#corked = []
    for (const corked of all) {
      corked.isCorked = false
      corked.stream?.uncork()
    }
  }
}
