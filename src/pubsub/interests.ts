// Which topics the engine is asked for: those that somebody here listens to. One thing at a time is asked for each topic, because
// clients of brokers lose a subscription whose end and beginning overlap; and a topic that nobody wants any more lingers, since
// the last to leave is often the next to come.

import { clearTimeout, setTimeout } from '../clock'

export interface Broker {
  subscribe: (topic: string) => Promise<void>
  unsubscribe: (topic: string) => Promise<void>
}

interface Interest {
  isWanted: boolean
  isLive: boolean
  /** What the engine is being asked. */
  work: Promise<void> | undefined
  timer: NodeJS.Timeout | undefined
}

export class Interests {
  readonly #broker: Broker
  readonly #linger: number
  readonly #interests = new Map<string, Interest>()
  #isClosed = false

  constructor (broker: Broker, linger: number) {
    this.#broker = broker
    this.#linger = linger
  }

  /** Undefined where the topic is live; otherwise it is when the promise resolves. Rejects with what the engine does. */
  want (topic: string): Promise<void> | undefined {
    const interest = this.#interests.get(topic) ?? { isWanted: true, isLive: false, work: undefined, timer: undefined }
    this.#interests.set(topic, interest)
    interest.isWanted = true
    clearTimeout(interest.timer)
    interest.timer = undefined
    if (interest.isLive && interest.work === undefined) return
    return this.#untilLive(interest, topic)
  }

  release (topic: string): void {
    const interest = this.#interests.get(topic)
    if (interest === undefined || !interest.isWanted) return
    interest.isWanted = false
    if (!this.#isClosed) interest.timer = setTimeout(() => { this.#drop(topic, interest).catch(() => {}) }, this.#linger).unref()
  }

  close (): void {
    this.#isClosed = true
    for (const { timer } of this.#interests.values()) clearTimeout(timer)
  }

  // A subscription that fails is nobody's: who wants the topic next asks anew.
  async #untilLive (interest: Interest, topic: string): Promise<void> {
    while (interest.isWanted && !interest.isLive) await this.#work(topic, interest)
  }

  async #drop (topic: string, interest: Interest): Promise<void> {
    await interest.work?.catch(() => {})
    if (interest.isLive && !interest.isWanted) await this.#work(topic, interest)
    if (!interest.isLive && !interest.isWanted) this.#interests.delete(topic)
  }

  #work (topic: string, interest: Interest): Promise<void> {
    interest.work ??= this.#ask(topic, interest).finally(() => { interest.work = undefined })
    return interest.work
  }

  async #ask (topic: string, interest: Interest): Promise<void> {
    if (interest.isWanted) {
      await this.#broker.subscribe(topic)
      interest.isLive = true
    } else {
      interest.isLive = false
      await this.#broker.unsubscribe(topic).catch(() => {})
    }
  }
}
