// A subscription from the question whether it may be to the end of the connection. It is one for each socket and topic, however
// often it is asked for; what ends it meanwhile (unsubscribe(), a close) ends it for whoever waits.

import type { FastifyRequest } from 'fastify'
import { inspect } from 'node:util'
import type { WebSocket } from 'ws'
import type { RouteSocket } from '../../types'
import type { Subscribed, SubscribeOptions } from '../../types/pubsub'
import { FST_WS_PUBSUB_CANCELLED, FST_WS_PUBSUB_INVALID_ID, FST_WS_PUBSUB_NO_HISTORY, FST_WS_PUBSUB_NOT_OPEN, FST_WS_PUBSUB_REFUSED } from '../errors'
import { CatchUp } from './catch-up'
import type { Hub } from './hub'
import { isId } from './ids'
import type { Member } from './member'
import { checkTopic } from './options'
import { replay } from './replay'
import type { Topic } from './topic'

/** Of a member that is under way to a topic. */
interface Attempt {
  isCancelled: boolean
  result: Promise<Subscribed>
}

const PLAIN: Subscribed = { replayed: 0, gap: false }

export class Subscriptions {
  readonly #hub: Hub
  readonly #requests: WeakMap<WebSocket, FastifyRequest>
  readonly #attempts = new WeakMap<Member, Map<string, Attempt>>()

  constructor (hub: Hub, requests: WeakMap<WebSocket, FastifyRequest>) {
    this.#hub = hub
    this.#requests = requests
  }

  async subscribe (member: Member, name: string, { after }: SubscribeOptions): Promise<Subscribed> {
    checkTopic(name)
    if (after !== undefined) this.#checkAfter(after)
    const attempts = this.#attempts.get(member)
    const pending = attempts?.get(name)
    if (pending !== undefined) return await pending.result
    if (member.topics.some(topic => topic.name === name)) return PLAIN
    if (!isOpen(member)) throw new FST_WS_PUBSUB_NOT_OPEN()
    const attempt: Attempt = { isCancelled: false, result: Promise.resolve(PLAIN) }
    attempt.result = this.#attempt(member, name, after, attempt)
    if (member.topics.some(topic => topic.name === name)) return await attempt.result
    const all = attempts ?? new Map<string, Attempt>()
    this.#attempts.set(member, all.set(name, attempt))
    try {
      return await attempt.result
    } finally {
      if (all.get(name) === attempt) all.delete(name)
    }
  }

  unsubscribe (member: Member, name: string): void {
    const attempts = this.#attempts.get(member)
    const attempt = attempts?.get(name)
    if (attempt !== undefined) attempt.isCancelled = true
    attempts?.delete(name)
    const index = member.topics.findIndex(topic => topic.name === name)
    for (const topic of index < 0 ? [] : member.topics.splice(index, 1)) this.#leave(topic, member)
  }

  /** The connection has ended. */
  leaveAll (member: Member): void {
    for (const topic of member.topics.splice(0)) this.#leave(topic, member)
  }

  #leave (topic: Topic, member: Member): void {
    topic.delete(member)
    for (const catchUp of topic.catchUps ?? []) if (catchUp.member === member) topic.catchUps?.delete(catchUp)
    this.#hub.topics.settle(topic)
  }

  #checkAfter (after: unknown): void {
    const { engine } = this.#hub.settings
    if (engine.history === undefined) throw new FST_WS_PUBSUB_NO_HISTORY(engine.name)
    if (!isId(after)) throw new FST_WS_PUBSUB_INVALID_ID(inspect(after, { depth: 0, maxStringLength: 40 }))
  }

  async #attempt (member: Member, name: string, after: string | undefined, attempt: Attempt): Promise<Subscribed> {
    if (this.#hub.settings.onSubscribe !== undefined) {
      await this.#ask(member.socket as RouteSocket, name)
      check(member, name, attempt)
    }
    const topic = this.#hub.topics.take(name)
    topic.pending++
    try {
      const live = this.#whenLive(topic)
      if (live !== undefined) {
        await this.#hub.inTime(live)
        check(member, name, attempt)
      }
      if (after !== undefined) return await this.#catchUp(member, topic, after, attempt)
      topic.add(member)
      member.join(topic)
      return PLAIN
    } finally {
      topic.pending--
      this.#hub.topics.settle(topic)
    }
  }

  async #ask (socket: RouteSocket, name: string): Promise<void> {
    let isAllowed: unknown
    try {
      isAllowed = await this.#hub.settings.onSubscribe?.(socket, name, this.#requests.get(socket) as FastifyRequest)
    } catch (cause) {
      throw new FST_WS_PUBSUB_REFUSED(name, { cause })
    }
    if (isAllowed === false) throw new FST_WS_PUBSUB_REFUSED(name)
  }

  // Where there is a history, also its end is known from then on: what is behind it can be fetched when the engine was away.
  #whenLive (topic: Topic): Promise<void> | undefined {
    const live = this.#hub.topics.whenLive(topic)
    const { history } = this.#hub.settings.engine
    if (history === undefined || topic.lastId !== undefined) return live
    return Promise.resolve(live).then(async () => {
      const last = await history.last(topic.name)
      // Unless something has come meanwhile: whatever else there is comes behind it.
      topic.lastId ??= last
    })
  }

  async #catchUp (member: Member, topic: Topic, after: string, attempt: Attempt): Promise<Subscribed> {
    const catchUp = new CatchUp(member, after)
    topic.catchUps ??= new Set()
    topic.catchUps.add(catchUp)
    try {
      const result = await replay(this.#hub, topic, catchUp, () => { check(member, topic.name, attempt) })
      member.join(topic)
      catchUp.goLive()
      return result
    } catch (error) {
      topic.catchUps.delete(catchUp)
      throw error
    }
  }
}

function check (member: Member, name: string, { isCancelled }: Attempt): void {
  if (isCancelled) throw new FST_WS_PUBSUB_CANCELLED(name)
  if (!isOpen(member)) throw new FST_WS_PUBSUB_NOT_OPEN()
}

function isOpen ({ socket }: Member): boolean {
  return socket.readyState === socket.OPEN
}
