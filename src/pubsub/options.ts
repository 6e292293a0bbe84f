// What the application asked for, checked once, at registration, and what it asks for at each call.

import { inspect } from 'node:util'
import type { Engine, PubSubOptions } from '../../types/pubsub'
import { readBacklogSettings } from '../backlog'
import type { BacklogSettings } from '../backlog'
import { BOOLEAN, check, checkKeys, COUNT, DELAY, fail, FUNCTION, readObject, SIZE } from '../check'
import type { Rule } from '../check'
import { FST_WS_PUBSUB_INVALID_TOPIC } from '../errors'
import { memory } from './memory'
import type { Compression } from './message'

export interface Settings extends Pick<PubSubOptions, 'onSubscribe' | 'onGap' | 'serialize'> {
  engine: Engine
  slowConsumer: BacklogSettings | undefined
  compression: Compression | undefined
  maxPayload: number
  timeout: number
  linger: number
}

const KEYS = ['engine', 'onSubscribe', 'onGap', 'serialize', 'slowConsumer', 'compress', 'maxPayload', 'timeout', 'linger']
const MIB = 1024 * 1024
const LONGEST_TOPIC = 1024
const LONE_SURROGATE = /\p{Surrogate}/u

const ENGINE: Rule = {
  isValid: value => typeof value === 'object' && value !== null && ['start', 'subscribe', 'unsubscribe', 'publish', 'close'].every(name => typeof Reflect.get(value, name) === 'function'),
  text: 'must be an engine, such as redis({ client })'
}

export function readOptions (given: PubSubOptions): Settings {
  // Fastify's own are not ours to judge.
  const { prefix, logLevel, logSerializers, ...ours } = given as Record<string, unknown>
  checkKeys('pubsub', ours, KEYS)
  check('engine', given.engine, ENGINE)
  check('onSubscribe', given.onSubscribe, FUNCTION)
  check('onGap', given.onGap, FUNCTION)
  check('serialize', given.serialize, FUNCTION)
  check('maxPayload', given.maxPayload, COUNT)
  check('timeout', given.timeout, DELAY)
  check('linger', given.linger, DELAY)
  return {
    engine: readEngine(given.engine),
    onSubscribe: given.onSubscribe ?? undefined,
    onGap: given.onGap ?? undefined,
    serialize: given.serialize ?? undefined,
    slowConsumer: readBacklogSettings(given.slowConsumer ?? true, 'slowConsumer'),
    compression: readCompression(given.compress),
    maxPayload: given.maxPayload ?? MIB,
    timeout: given.timeout ?? 5000,
    linger: given.linger ?? 1000
  }
}

function readEngine (engine: Engine = memory()): Engine {
  if (engine.alone === true && engine.history !== undefined) fail('engine', 'cannot have a history and be alone', engine.name)
  if (engine.ordering === 'local' && engine.history !== undefined) fail('engine', "has to have the ordering 'engine' where it has a history", engine.name)
  return engine
}

function readCompression (given: PubSubOptions['compress']): Compression | undefined {
  const options = readObject<Compression>('compress', given ?? true, ['threshold', 'limit'])
  check('compress.threshold', options?.threshold, SIZE)
  check('compress.limit', options?.limit, SIZE)
  return options && { threshold: options.threshold ?? 1024, limit: options.limit ?? 64 * 1024 }
}

/** Two strings that differ in lone surrogates are the same bytes. */
export function checkTopic (topic: unknown): asserts topic is string {
  const isValid = typeof topic === 'string' && topic !== '' && topic.length <= LONGEST_TOPIC &&
    Buffer.byteLength(topic) <= LONGEST_TOPIC && !LONE_SURROGATE.test(topic)
  if (!isValid) throw new FST_WS_PUBSUB_INVALID_TOPIC(inspect(topic, { depth: 0, maxStringLength: 40 }))
}

export function checkFlag (name: string, value: unknown): void {
  check(name, value, BOOLEAN)
}
