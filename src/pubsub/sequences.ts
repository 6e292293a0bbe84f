// How holes and repetitions are seen. Each node counts what it publishes to each topic; who listens remembers the last number of
// each node. Both are bounded: a count that is forgotten goes on above all others, so at worst a hole is seen where none is.

const MOST_COUNTS = 10_000
const MOST_NODES = 1000

/** The numbers of one node. */
export class Counts {
  readonly #counts = new Map<string, number>()
  readonly #most: number
  #floor = 0

  constructor (most = MOST_COUNTS) {
    this.#most = most
  }

  next (topic: string): number {
    const next = (this.#counts.get(topic) ?? this.#floor) + 1
    this.#counts.delete(topic)
    this.#counts.set(topic, next)
    if (this.#counts.size > this.#most) this.#forgetOldest()
    return next
  }

  // Whoever knows the last number sees a hole at the next one.
  #forgetOldest (): void {
    const [oldest = ['', 0] as const] = this.#counts
    const [topic, count] = oldest
    this.#floor = Math.max(this.#floor, count) + 1
    this.#counts.delete(topic)
  }
}

/** What was heard of a topic. */
export class Heard {
  readonly #last = new Map<number, { sequence: number, era: number }>()
  #era = 0

  /** False for what was heard before. */
  hear (node: number, sequence: number): boolean {
    const last = this.#last.get(node)
    if (last !== undefined && sequence <= last.sequence) return false
    this.#last.delete(node)
    this.#last.set(node, { sequence, era: this.#era })
    const [oldest = 0] = this.#last.keys()
    if (this.#last.size > MOST_NODES) this.#last.delete(oldest)
    return true
  }

  /** Whether something is missing in front of it. */
  isHole (node: number, sequence: number): boolean {
    const last = this.#last.get(node)
    return last !== undefined && last.era === this.#era && sequence > last.sequence + 1
  }

  /** Something may be missing at this point, and everybody knows. */
  excuse (): void {
    this.#era++
  }
}
