// The topics that somebody here listens to. One that is idle is taken off, and what asked the engine for it is told.

import type { Interests } from './interests'
import { Topic } from './topic'

export class Topics {
  readonly #topics = new Map<string, Topic>()
  readonly #interests: Interests | undefined

  constructor (interests: Interests | undefined) {
    this.#interests = interests
  }

  get size (): number {
    return this.#topics.size
  }

  get (name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  all (): Topic[] {
    return [...this.#topics.values()]
  }

  take (name: string): Topic {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const topic = new Topic(name)
    this.#topics.set(name, topic)
    return topic
  }

  /** Undefined where the engine listens to it, or there is nobody to ask. */
  whenLive ({ name }: Topic): Promise<void> | undefined {
    return this.#interests?.want(name)
  }

  /** Is it still needed? */
  settle (topic: Topic): void {
    if (!topic.isIdle || this.#topics.get(topic.name) !== topic) return
    this.#topics.delete(topic.name)
    this.#interests?.release(topic.name)
  }
}
