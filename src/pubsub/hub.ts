// The hub of an application: what is published goes to those who listen here, and out to the engine; what the engine brings goes to
// those who listen here.

import type { FastifyBaseLogger } from 'fastify'
import type { WebSocketServer } from 'ws'
import type { Counted, Delivered, EngineStatus, Gap, PublishOptions, PubSub, PubSubStats, Received } from '../../types/pubsub'
import type { RouteSocket } from '../../types'
import { check, CLOSE_CODE, DELAY, fail, REASON } from '../check'
import { clearTimeout, setTimeout } from '../clock'
import { FST_WS_PUBSUB_FOREIGN_SOCKET, FST_WS_PUBSUB_TIMEOUT, FST_WS_PUBSUB_TOO_LARGE } from '../errors'
import { logError } from '../log'
import { handled } from '../thenable'
import { Content } from './content'
import { Delivery } from './delivery'
import { CONTROL, CONTROL_TOPIC, newNodeId } from './envelope'
import { Excepted } from './excepted'
import { Inbox } from './inbound'
import { Interests } from './interests'
import { memberOf } from './member'
import type { Member, Terms } from './member'
import { Nodes } from './nodes'
import type { Question } from './nodes'
import { checkFlag, checkTopic } from './options'
import type { Settings } from './options'
import { Outbound } from './outbound'
import { Ticks } from './ticks'
import { Topics } from './topics'

// Milliseconds.
const ANSWER_TIMEOUT = 1000

export class Hub implements PubSub {
  readonly settings: Settings
  readonly topics: Topics
  readonly delivery: Delivery
  readonly outbound: Outbound
  readonly terms: Terms
  readonly #log: FastifyBaseLogger
  readonly #node = newNodeId()
  readonly #interests: Interests | undefined
  readonly #inbox: Inbox
  readonly #nodes: Nodes
  readonly #stats = { published: 0, received: 0, gaps: 0, duplicates: 0, foreign: 0 }

  constructor (settings: Settings, websocketServer: WebSocketServer, log: FastifyBaseLogger) {
    const { engine, linger, slowConsumer } = settings
    this.settings = settings
    this.#log = log
    this.#interests = engine.alone === true ? undefined : new Interests(engine, linger)
    this.topics = new Topics(this.#interests)
    this.delivery = new Delivery(settings, log)
    this.terms = { ticks: new Ticks(), websocketServer, slowConsumer }
    const { topics, delivery } = this
    const excepted = new Excepted()
    this.#inbox = new Inbox({ node: this.#node, engine, topics, delivery, excepted, stats: this.#stats, log, tellGap: this.tellGap })
    this.outbound = new Outbound(this.#node, engine, excepted)
    this.#nodes = new Nodes({ node: this.#node, answer: this.#answer, tell: async note => await this.outbound.tell(note) })
  }

  /** Rejects where there is no engine to begin with. */
  async start (): Promise<void> {
    const { engine, timeout } = this.settings
    await engine.start({ deliver: this.#onMessage, status: this.#onStatus, timeout })
    if (engine.alone === true) this.outbound.isUp = true
    else this.#interests?.want(CONTROL_TOPIC)?.catch(error => { if (!this.outbound.isClosed) logError(this.#log, error) })
  }

  async close (): Promise<void> {
    this.outbound.isClosed = true
    this.outbound.isUp = false
    this.#interests?.close()
    this.#nodes.close()
    await this.settings.engine.close()
  }

  publish (topic: string, data: unknown, options: PublishOptions = {}): Promise<void> {
    return handled(this.#publish(topic, data, options))
  }

  on<Name extends string> (name: Name, listener: (message: Delivered<Name>, received: Received) => unknown): () => void {
    checkTopic(name)
    if (typeof listener !== 'function') fail('listener', 'must be a function', listener)
    const topic = this.topics.take(name)
    // Each call counts for itself, also with the same function.
    const own = (message: unknown, received: Received): unknown => listener(message as Delivered<Name>, received)
    topic.listeners ??= new Set()
    topic.listeners.add(own)
    this.topics.whenLive(topic)?.catch(error => { if (!this.outbound.isClosed) logError(this.#log, error) })
    return () => {
      topic.listeners?.delete(own)
      this.topics.settle(topic)
    }
  }

  sockets (name: string): RouteSocket[] {
    return (this.topics.get(name)?.sockets() ?? []).map(({ socket }) => socket as RouteSocket)
  }

  count (name: string): number {
    return this.topics.get(name)?.size ?? 0
  }

  countAll (topic: string, { timeout }: { timeout?: number } = {}): Promise<Counted> {
    return handled(this.#ask({ topic }, timeout))
  }

  disconnect (topic: string, code?: number, reason?: string, { timeout }: { timeout?: number } = {}): Promise<Counted> {
    return handled(this.#ask({ topic, close: { code, reason } }, timeout))
  }

  get engine (): string {
    return this.settings.engine.name
  }

  get stats (): PubSubStats {
    return { topics: this.topics.size, ...this.#stats, isUp: this.outbound.isUp }
  }

  /** Rejects when it took too long. */
  async inTime (work: Promise<void>): Promise<void> {
    const { timeout, engine } = this.settings
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => { reject(new FST_WS_PUBSUB_TIMEOUT(engine.name, timeout)) }, timeout)
    })
    try {
      await Promise.race([work.catch(error => { throw this.outbound.unavailable(error) }), late])
    } finally {
      clearTimeout(timer)
    }
  }

  readonly tellGap = (topics: string[] | true, gap: Gap): void => {
    this.#stats.gaps++
    try {
      const result = this.settings.onGap?.(topics, gap)
      Promise.resolve(result).catch(error => { logError(this.#log, error) })
    } catch (error) {
      logError(this.#log, error)
    }
  }

  async #publish (name: string, data: unknown, { except, local, binary }: PublishOptions): Promise<void> {
    checkTopic(name)
    checkFlag('local', local)
    checkFlag('binary', binary)
    const content = Content.published(data, binary)
    const { engine, maxPayload } = this.settings
    if (content.size > maxPayload) throw new FST_WS_PUBSUB_TOO_LARGE(content.size, maxPayload)
    const excepted = except == null ? undefined : this.#memberOf(except)
    const isLocal = local === true || engine.alone === true
    const topic = this.topics.get(name)
    this.#stats.published++
    if (topic !== undefined && (isLocal || engine.ordering === 'local')) this.delivery.deliver(topic, content, undefined, excepted)
    if (!isLocal) await this.outbound.send(name, content, topic === undefined ? undefined : excepted)
  }

  // Nobody comes behind who does not subscribe to anything.
  #memberOf (socket: unknown): Member | undefined {
    const member = memberOf(socket, this)
    if (member === null) throw new FST_WS_PUBSUB_FOREIGN_SOCKET()
    return member
  }

  readonly #onMessage = (name: string, bytes: Uint8Array, id?: string): void => {
    if (name === CONTROL_TOPIC) this.#onNote(bytes)
    const topic = this.topics.get(name)
    if (topic !== undefined) this.#inbox.arrive(topic, bytes, id)
  }

  readonly #onStatus = ({ state, gap, error }: EngineStatus): void => {
    const wasUp = this.outbound.isUp
    this.outbound.isUp = state === 'up' && !this.outbound.isClosed
    if (error !== undefined && !this.outbound.isClosed) this.#log.warn(error, `pubsub: the engine ${this.engine} is ${state}`)
    else if (wasUp && !this.outbound.isUp && !this.outbound.isClosed) this.#log.warn(`pubsub: the engine ${this.engine} is down`)
    if (!this.outbound.isUp || gap !== true) return
    this.#log.info(`pubsub: the engine ${this.engine} works again`)
    this.#inbox.resume()
  }

  async #ask (question: Question, timeout: number | undefined): Promise<Counted> {
    checkTopic(question.topic)
    check('timeout', timeout, DELAY)
    check('code', question.close?.code, CLOSE_CODE)
    check('reason', question.close?.reason, REASON)
    return await this.#nodes.ask(question, timeout ?? ANSWER_TIMEOUT)
  }

  readonly #answer = ({ topic, close }: Question): number => {
    const members = this.topics.get(topic)?.sockets() ?? []
    if (close !== undefined) for (const { socket } of members) socket.close(close.code, close.reason)
    return members.length
  }

  #onNote (bytes: Uint8Array): void {
    const envelope = this.#inbox.open(bytes)
    if (envelope !== undefined && envelope.flags === CONTROL && envelope.node !== this.#node) this.#nodes.hear(envelope.node, envelope.payload)
  }
}
