// The entry point fastify-wss/pubsub/redis: the engine that is Redis. A topic is a channel. When Redis comes back, all topics are
// subscribed to again before it is said to be up.

import type { Engine, EngineContext } from '../../types/pubsub'
import type { RedisOptions } from '../../types/pubsub-redis'
import { BOOLEAN, check, checkKeys, fail } from '../check'
import type { Rule } from '../check'
import { clearTimeout, setTimeout } from '../clock'
import { FST_WS_PUBSUB_UNAVAILABLE } from '../errors'
import { readHistory } from './memory'
import type { Kept } from './memory'
import { openPublished, RedisHistory } from './redis-history'
import { isRedisClient, linkTo, prefixOf } from './redis-link'
import type { Link, RedisClient } from './redis-link'

const STRING: Rule = { isValid: value => typeof value === 'string', text: 'must be a string' }

// Topics that are subscribed to by one command.
const CHUNK = 1000
// Milliseconds until Redis is asked again where it was there and refused.
const RETRY = 500
export function redis (options: RedisOptions): Engine {
  checkKeys('redis', options, ['client', 'prefix', 'history', 'lazy'])
  const { client, prefix, lazy } = options
  if (!isRedisClient(client)) fail('redis.client', 'must be a client of ioredis (also its Cluster), iovalkey or node-redis', client)
  check('redis.prefix', prefix, STRING)
  check('redis.lazy', lazy, BOOLEAN)
  return new RedisEngine(client, `${prefixOf(client)}${prefix ?? 'fastify-wss:'}`, readHistory('redis.history', options.history), lazy ?? false)
}

class RedisEngine implements Engine {
  readonly name = 'redis'
  readonly ordering: Engine['ordering']
  readonly history: RedisHistory | undefined
  readonly #client: RedisClient
  readonly #prefix: string
  readonly #isLazy: boolean
  readonly #topics = new Set<string>()
  readonly #waiting = new Set<() => void>()
  #link: Link | undefined
  #context: EngineContext | undefined
  #isUp = false
  #wasUp = false
  #era = 0
  #timer: NodeJS.Timeout | undefined
  #onFirst: ((error?: Error) => void) | undefined

  constructor (client: RedisClient, prefix: string, kept: Kept | undefined, isLazy: boolean) {
    this.#client = client
    this.#prefix = prefix
    this.#isLazy = isLazy
    this.ordering = kept === undefined ? 'local' : 'engine'
    this.history = kept && new RedisHistory(kept, prefix, async args => await this.#link?.command(args))
  }

  async start (context: EngineContext): Promise<void> {
    this.#context = context
    this.#link = linkTo(this.#client, context.timeout, { ready: this.#onReady, lost: this.#onLost, message: this.#onMessage })
    const begun = this.#isLazy ? undefined : this.#begun(context.timeout)
    this.#link.open()
    try {
      await begun
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async subscribe (topic: string): Promise<void> {
    this.#topics.add(topic)
    try {
      await this.#whenUp()
      await this.#link?.subscribe([this.#prefix + topic])
    } catch (error) {
      // Where Redis went away all topics are subscribed to when it is back.
      if (!this.#isUp) return await this.#whenUp()
      this.#topics.delete(topic)
      throw error
    }
  }

  async unsubscribe (topic: string): Promise<void> {
    this.#topics.delete(topic)
    if (this.#isUp) await this.#link?.unsubscribe(this.#prefix + topic)
  }

  async publish (topic: string, message: Uint8Array): Promise<number> {
    if (!this.#isUp || this.#link === undefined) throw new Error('Redis is not there')
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    const channel = this.#prefix + topic
    const { publishing } = this.#link
    const isKept = this.history !== undefined && topic !== ''
    return Number(await this.#link.command(isKept ? this.history.publishCommand(publishing, channel, bytes) : [publishing, channel, bytes]))
  }

  async close (): Promise<void> {
    clearTimeout(this.#timer)
    this.#era++
    this.#context = undefined
    this.#isUp = false
    this.#link?.close()
    this.#link = undefined
  }

  /** Resolves when it is up for the first time; rejects with what keeps it from it. */
  async #begun (timeout: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => { this.#onFirst?.(new Error(`no answer within ${timeout} ms`)) }, timeout)
      this.#onFirst = error => {
        clearTimeout(timer)
        this.#onFirst = undefined
        if (error === undefined) resolve()
        else reject(new FST_WS_PUBSUB_UNAVAILABLE('redis', error.message, { cause: error }))
      }
    })
  }

  async #whenUp (): Promise<void> {
    if (!this.#isUp) await new Promise<void>(resolve => { this.#waiting.add(resolve) })
  }

  readonly #onReady = (): void => {
    clearTimeout(this.#timer)
    const era = ++this.#era
    this.#resubscribe().then(() => { this.#onAsked(era) }, error => { this.#onAsked(era, error) })
  }

  // Redis may have gone away meanwhile, or refuse.
  #onAsked (era: number, error?: Error): void {
    if (era !== this.#era) return
    if (error === undefined) return this.#beUp()
    this.#onFirst?.(error)
    this.#context?.status({ state: 'down', error })
    this.#timer = setTimeout(this.#onReady, RETRY).unref()
  }

  async #resubscribe (): Promise<void> {
    const link = this.#link as Link
    await Promise.all([link.command(['PING']), link.ping()])
    const channels = [...this.#topics].map(topic => this.#prefix + topic)
    for (let i = 0; i < channels.length; i += CHUNK) await link.subscribe(channels.slice(i, i + CHUNK))
  }

  #beUp (): void {
    const gap = this.#wasUp
    this.#isUp = true
    this.#wasUp = true
    this.#onFirst?.()
    this.#context?.status({ state: 'up', gap })
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  readonly #onLost = (error: Error | undefined): void => {
    this.#era++
    clearTimeout(this.#timer)
    const isNews = this.#isUp || !this.#wasUp
    this.#isUp = false
    if (error !== undefined) this.#onFirst?.(error)
    if (isNews) this.#context?.status({ state: 'down', error })
  }

  readonly #onMessage = (channel: string, bytes: Buffer): void => {
    const topic = channel.slice(this.#prefix.length)
    if (this.history === undefined || topic === '') {
      this.#context?.deliver(topic, bytes)
      return
    }
    const { id, message } = openPublished(bytes)
    this.#context?.deliver(topic, message, id)
  }
}
