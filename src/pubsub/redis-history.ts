// The history of topics in Redis: each is a stream, of the same name as the topic's channel. A script adds to it and publishes from
// it at once, so that both have one order; and what is published has its id in front of it.

import type { History, HistoryPage } from '../../types/pubsub'
import { START } from './ids'
import type { Kept } from './memory'
import type { Argument, Link } from './redis-link'

type Command = Link['command']
type Entry = [id: Buffer, fields: [name: Buffer, message: Buffer]]

// Before any id, and none of a message.
const NOTHING = '0-0'
const SPACE = 0x20

const ADD_AND_PUBLISH = `
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'm', ARGV[1])
local time = redis.call('TIME')
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call(ARGV[4], KEYS[1], id .. ' ' .. ARGV[1])
`

export class RedisHistory implements History {
  readonly #kept: Kept
  readonly #prefix: string
  readonly #command: Command

  constructor (kept: Kept, prefix: string, command: Command) {
    this.#kept = kept
    this.#prefix = prefix
    this.#command = command
  }

  /** What adds a message and publishes it. */
  publishCommand (publishing: Link['publishing'], channel: string, message: Buffer): Argument[] {
    const { maxLength, maxAge } = this.#kept
    return ['EVAL', ADD_AND_PUBLISH, '1', channel, message, String(maxLength), String(maxAge), publishing]
  }

  async read (topic: string, after: string, limit: number): Promise<HistoryPage> {
    const key = this.#prefix + topic
    const [page, first] = await Promise.all([
      this.#command(['XRANGE', key, `(${after}`, '+', 'COUNT', String(limit)]),
      this.#command(['XRANGE', key, '-', after, 'COUNT', '1'])
    ]) as [Entry[], Entry[]]
    const messages = page.map(([id, [, message]]) => ({ id: id.toString(), message }))
    const isComplete = after === START || first.length > 0 || (after === NOTHING && await this.#isUntrimmed(key))
    return { messages, isComplete }
  }

  async last (topic: string): Promise<string> {
    const [last] = await this.#command(['XREVRANGE', this.#prefix + topic, '+', '-', 'COUNT', '1']) as Entry[]
    return last?.[0].toString() ?? NOTHING
  }

  async #isUntrimmed (key: string): Promise<boolean> {
    return Number(await this.#command(['XLEN', key])) < this.#kept.maxLength
  }
}

/** What was published: a message with its id, which is START where there is none. */
export function openPublished (bytes: Buffer): { id: string, message: Buffer } {
  const space = bytes.indexOf(SPACE)
  return { id: space < 0 ? START : bytes.toString('latin1', 0, space), message: bytes.subarray(space + 1) }
}
