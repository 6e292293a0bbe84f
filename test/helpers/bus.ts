// An engine for several hubs in one process, whose faults a test decides: it goes down and comes back, and loses or repeats
// messages in between. With a history it keeps everything, but for what a test takes off.
import type { Engine, EngineContext, HistoryPage } from '../../types/pubsub'
import { compareIds } from '../../src/pubsub/ids'
import { deferred, type Deferred } from './deferred'

export class Bus {
  readonly engines: BusEngine[] = []
  readonly log = new Map<string, Array<{ id: string, message: Uint8Array }>>()
  /** The id of the last message that is kept no more. */
  forgotten = '0'
  #count = 0

  engine (options: { history?: boolean } = {}): BusEngine {
    const engine = new BusEngine(this, options.history === true)
    this.engines.push(engine)
    return engine
  }

  keep (topic: string, message: Uint8Array): string {
    const id = `1-${++this.#count}`
    this.log.set(topic, [...this.log.get(topic) ?? [], { id, message }])
    return id
  }
}

export class BusEngine implements Engine {
  readonly name = 'bus'
  readonly ordering: 'local' | 'engine'
  readonly history: Engine['history']
  readonly calls: string[] = []
  readonly topics = new Set<string>()
  context: EngineContext | undefined
  isUp = true
  /** Loses what is published from now on, as if it had been taken. */
  isLossy = false
  /** Where it is set, subscriptions wait for it. */
  gate: Deferred<void> | undefined
  /** What the next read, or subscription, fails with. */
  failure: Error | undefined
  /** Called before a page is read. */
  onRead: () => unknown = () => {}
  readonly #bus: Bus

  constructor (bus: Bus, hasHistory: boolean) {
    this.#bus = bus
    this.ordering = hasHistory ? 'engine' : 'local'
    this.history = hasHistory ? { read: (...args) => this.#read(...args), last: async topic => bus.log.get(topic)?.at(-1)?.id ?? '0' } : undefined
  }

  start (context: EngineContext): void {
    this.context = context
    context.status({ state: 'up' })
  }

  async subscribe (topic: string): Promise<void> {
    this.calls.push(`subscribe ${topic}`)
    await this.gate?.promise
    this.#fail()
    this.topics.add(topic)
  }

  async unsubscribe (topic: string): Promise<void> {
    this.calls.push(`unsubscribe ${topic}`)
    await this.gate?.promise
    this.topics.delete(topic)
  }

  async publish (topic: string, message: Uint8Array): Promise<number> {
    if (!this.isUp) throw new Error('the bus is down')
    this.#fail()
    if (this.isLossy) return 0
    const id = this.history !== undefined && topic !== '' ? this.#bus.keep(topic, message) : undefined
    const reached = this.#bus.engines.filter(engine => engine.isUp && engine.topics.has(topic))
    setImmediate(() => { for (const engine of reached) if (engine.isUp) engine.context?.deliver(topic, message, id) })
    return reached.length
  }

  async close (): Promise<void> {
    this.topics.clear()
    this.isUp = false
  }

  down (error?: Error): void {
    this.isUp = false
    this.context?.status({ state: 'down', error })
  }

  up (): void {
    this.isUp = true
    this.context?.status({ state: 'up', gap: true })
  }

  /** The next subscription waits until `open`. */
  hold (): Deferred<void> {
    this.gate = deferred<void>()
    return this.gate
  }

  async #read (topic: string, after: string, limit: number): Promise<HistoryPage> {
    await this.onRead()
    this.#fail()
    const all = this.#bus.log.get(topic) ?? []
    return {
      messages: all.filter(({ id }) => compareIds(id, after) > 0).slice(0, limit),
      isComplete: after === '0' || compareIds(after, this.#bus.forgotten) >= 0
    }
  }

  #fail (): void {
    const { failure } = this
    this.failure = undefined
    if (failure !== undefined) throw failure
  }
}
