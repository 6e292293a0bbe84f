// A tick, as pub/sub has it: the code that runs now. What is published in it is written when it has run, before anything else
// does.

import { Batch } from './batch'

export interface Ticked {
  endTick: () => void
}

export class Ticks {
  /** What the batches of this tick grow from. */
  root = Batch.empty()
  #waiting: Ticked[] = []

  /** Tells it of the end of this tick. */
  await (ticked: Ticked): void {
    if (this.#waiting.push(ticked) === 1) process.nextTick(this.#end)
  }

  readonly #end = (): void => {
    const waiting = this.#waiting
    this.#waiting = []
    this.root = Batch.empty()
    for (const ticked of waiting) ticked.endTick()
  }
}
