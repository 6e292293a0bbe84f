// The engine that is this process: nobody else is there. With a history it keeps the last messages of each topic in a ring, and
// gives each an id.

import type { Engine, EngineContext, HistoryPage, MemoryOptions } from '../../types/pubsub'
import { check, checkKeys, COUNT, DELAY, readObject } from '../check'
import { now } from '../clock'
import { compareIds, START } from './ids'

export interface Kept {
  maxLength: number
  maxAge: number
}

interface Entry {
  id: string
  message: Uint8Array
  time: number
}

interface Ring {
  entries: Entry[]
  /** The id of the last message that is kept no more. */
  forgotten: string
}

const DEFAULTS: Kept = { maxLength: 100, maxAge: 5 * 60_000 }
// How many messages are published between two looks for topics of which everything is too old.
const SWEEP = 1000

export function memory (options: MemoryOptions = {}): Engine {
  checkKeys('memory', options, ['history'])
  const kept = readHistory('memory.history', options.history ?? false)
  if (kept === undefined) return { name: 'memory', ordering: 'local', alone: true, start () {}, subscribe: nothing, unsubscribe: nothing, publish: async () => 1, close: nothing }
  return new MemoryWithHistory(kept)
}

export function readHistory (name: string, given: MemoryOptions['history']): Kept | undefined {
  const options = readObject<Kept>(name, given, ['maxLength', 'maxAge'])
  check(`${name}.maxLength`, options?.maxLength, COUNT)
  check(`${name}.maxAge`, options?.maxAge, DELAY)
  return options && { maxLength: options.maxLength ?? DEFAULTS.maxLength, maxAge: options.maxAge ?? DEFAULTS.maxAge }
}

class MemoryWithHistory implements Engine {
  readonly name = 'memory'
  readonly ordering = 'engine'
  readonly history = { read: this.#read.bind(this), last: this.#last.bind(this) }
  readonly #kept: Kept
  readonly #rings = new Map<string, Ring>()
  readonly #subscribed = new Set<string>()
  // Ids of an earlier process are before all of this one.
  readonly #epoch = Date.now()
  #count = 0
  #forgotten = `${this.#epoch}-0`
  #context: EngineContext | undefined

  constructor (kept: Kept) {
    this.#kept = kept
  }

  start (context: EngineContext): void {
    this.#context = context
    context.status({ state: 'up' })
  }

  async subscribe (topic: string): Promise<void> {
    this.#subscribed.add(topic)
  }

  async unsubscribe (topic: string): Promise<void> {
    this.#subscribed.delete(topic)
  }

  async publish (topic: string, message: Uint8Array): Promise<number> {
    const id = `${this.#epoch}-${++this.#count}`
    if (topic !== '') this.#keep(topic, { id, message, time: now() })
    if (this.#subscribed.has(topic)) this.#context?.deliver(topic, message, id)
    return 1
  }

  async close (): Promise<void> {
    this.#rings.clear()
    this.#context = undefined
  }

  #keep (topic: string, entry: Entry): void {
    const ring = this.#rings.get(topic) ?? { entries: [], forgotten: this.#forgotten }
    this.#rings.set(topic, ring)
    ring.entries.push(entry)
    this.#trim(ring)
    if (this.#count % SWEEP === 0) this.#sweep()
  }

  #trim (ring: Ring): void {
    const { maxLength, maxAge } = this.#kept
    const oldest = now() - maxAge
    const firstYoung = ring.entries.findIndex(({ time }) => time > oldest)
    const tooOld = firstYoung < 0 ? ring.entries.length : firstYoung
    const dropped = ring.entries.splice(0, Math.max(tooOld, ring.entries.length - maxLength))
    ring.forgotten = dropped.at(-1)?.id ?? ring.forgotten
  }

  #sweep (): void {
    for (const [topic, ring] of this.#rings) {
      this.#trim(ring)
      if (ring.entries.length > 0) continue
      this.#rings.delete(topic)
      if (compareIds(ring.forgotten, this.#forgotten) > 0) this.#forgotten = ring.forgotten
    }
  }

  async #read (topic: string, after: string, limit: number): Promise<HistoryPage> {
    const ring = this.#rings.get(topic) ?? { entries: [], forgotten: this.#forgotten }
    this.#trim(ring)
    const messages = ring.entries.filter(({ id }) => compareIds(id, after) > 0).slice(0, limit)
    return { messages, isComplete: after === START || compareIds(after, ring.forgotten) >= 0 }
  }

  async #last (topic: string): Promise<string> {
    return this.#rings.get(topic)?.entries.at(-1)?.id ?? START
  }
}

async function nothing (): Promise<void> {}
