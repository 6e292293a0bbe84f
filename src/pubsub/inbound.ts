// What the engine brings, held against what was heard before: what came already is dropped, what is missing is told or, where
// there is a history, fetched from there in order, while what comes meanwhile waits.

import type { FastifyBaseLogger } from 'fastify'
import type { Engine, Gap } from '../../types/pubsub'
import { logError } from '../log'
import { Content } from './content'
import type { Delivery } from './delivery'
import { unseal } from './envelope'
import type { Envelope } from './envelope'
import type { Excepted } from './excepted'
import { compareIds } from './ids'
import { Heard } from './sequences'
import type { Topic } from './topic'
import type { Topics } from './topics'

export interface Arrival {
  envelope: Envelope
  id: string | undefined
}

export interface Inbound {
  node: number
  engine: Engine
  topics: Topics
  delivery: Delivery
  excepted: Excepted
  stats: { received: number, duplicates: number, foreign: number }
  log: FastifyBaseLogger
  tellGap: (topics: string[] | true, gap: Gap) => void
}

const PAGE = 100

export class Inbox {
  readonly #of: Inbound

  constructor (of: Inbound) {
    this.#of = of
  }

  arrive (topic: Topic, bytes: Uint8Array, id: string | undefined): void {
    const envelope = this.open(bytes)
    if (envelope === undefined) return
    const arrival = { envelope, id }
    if (topic.held !== undefined) topic.held.push(arrival)
    else if (this.#isBehindHole(topic, arrival)) this.#fetch(topic, [arrival])
    else this.#accept(topic, arrival)
  }

  /** Undefined for what is not ours, which is logged once. */
  open (bytes: Uint8Array): Envelope | undefined {
    const envelope = unseal(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    if (envelope === undefined && this.#of.stats.foreign++ === 0) this.#of.log.warn('pubsub: a message on a channel of ours is not ours, and is dropped; later ones are counted in stats.foreign')
    return envelope
  }

  /** The engine was away, and works again. */
  resume (): void {
    const { topics, engine, tellGap } = this.#of
    if (engine.history === undefined) {
      for (const topic of topics.all()) topic.heard?.excuse()
      tellGap(true, { reason: 'reconnected', socket: undefined })
      return
    }
    for (const topic of topics.all()) if (topic.held === undefined) this.#fetch(topic, [])
  }

  #isBehindHole ({ heard }: Topic, { envelope: { node, sequence } }: Arrival): boolean {
    return this.#of.engine.history !== undefined && heard?.isHole(node, sequence) === true
  }

  async #fetch (topic: Topic, held: Arrival[]): Promise<void> {
    topic.held = held
    try {
      await this.#readBehind(topic)
    } catch (error) {
      logError(this.#of.log, error)
      this.#of.tellGap([topic.name], { reason: 'reconnected', socket: undefined })
    }
    topic.heard?.excuse()
    topic.held = undefined
    for (const arrival of held) this.#accept(topic, arrival)
  }

  async #readBehind (topic: Topic): Promise<void> {
    const { engine: { history }, topics, tellGap } = this.#of
    if (history === undefined || topic.lastId === undefined) return
    while (topics.get(topic.name) === topic) {
      const { messages, isComplete } = await history.read(topic.name, topic.lastId, PAGE)
      if (!isComplete) tellGap([topic.name], { reason: 'reconnected', socket: undefined })
      topic.heard?.excuse()
      for (const { id, message } of messages) {
        const envelope = this.open(message)
        if (envelope !== undefined) this.#accept(topic, { envelope, id })
        topic.lastId = id
      }
      if (messages.length < PAGE) return
    }
  }

  #accept (topic: Topic, { envelope, id }: Arrival): void {
    const { node, engine, stats, tellGap, delivery, excepted } = this.#of
    const isOwn = envelope.node === node
    if (isOwn && engine.ordering === 'local') return
    topic.heard ??= new Heard()
    const isHole = topic.heard.isHole(envelope.node, envelope.sequence)
    if (isBefore(id, topic.lastId) || !topic.heard.hear(envelope.node, envelope.sequence)) {
      stats.duplicates++
      return
    }
    if (isHole) tellGap([topic.name], { reason: 'hole', socket: undefined })
    if (!isOwn) stats.received++
    topic.lastId = id
    delivery.deliver(topic, Content.received(envelope.flags, envelope.payload), id, isOwn ? excepted.take(topic.name, envelope.sequence) : undefined)
  }
}

function isBefore (id: string | undefined, last: string | undefined): boolean {
  return id !== undefined && last !== undefined && compareIds(id, last) <= 0
}
