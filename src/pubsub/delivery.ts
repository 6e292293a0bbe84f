// A message reaches those who listen here: the sockets, then the application's listeners. What a listener publishes in its turn
// comes behind, so that everybody sees one order.

import type { FastifyBaseLogger } from 'fastify'
import type { Received } from '../../types/pubsub'
import { logError } from '../log'
import { isThenable } from '../thenable'
import type { Content } from './content'
import type { Member } from './member'
import { Message } from './message'
import type { Settings } from './options'
import type { Listener, Topic } from './topic'

export class Delivery {
  readonly #settings: Pick<Settings, 'serialize' | 'compression'>
  readonly #log: FastifyBaseLogger
  #queue: Array<() => void> | undefined

  constructor (settings: Pick<Settings, 'serialize' | 'compression'>, log: FastifyBaseLogger) {
    this.#settings = settings
    this.#log = log
  }

  deliver (topic: Topic, content: Content, id: string | undefined, except: Member | undefined): void {
    if (this.#queue !== undefined) {
      this.#queue.push(() => { this.#deliverNow(topic, content, id, except) })
      return
    }
    this.#queue = []
    this.#deliverNow(topic, content, id, except)
    for (const deliver of this.#queue) deliver()
    this.#queue = undefined
  }

  /** What goes out to the sockets. Undefined where serialize() failed. */
  messageOf (topic: Topic, content: Content, id: string | undefined): Message | undefined {
    const { serialize, compression } = this.#settings
    if (serialize === undefined) return new Message(content.data, content.isBinary, compression)
    try {
      const data: unknown = serialize(content.message, receivedOf(topic, content, id))
      const isText = typeof data === 'string'
      const bytes = isText ? data : Buffer.from(data as Uint8Array)
      return new Message(bytes, content.isBinary, compression)
    } catch (error) {
      logError(this.#log, error)
    }
  }

  #deliverNow (topic: Topic, content: Content, id: string | undefined, except: Member | undefined): void {
    const isForSockets = topic.hasMembers || topic.catchUps !== undefined
    const message = isForSockets ? this.messageOf(topic, content, id) : undefined
    if (message !== undefined) writeToAll(topic, message, id, except)
    if (topic.listeners !== undefined) this.#tell([...topic.listeners], topic, content, id)
  }

  #tell (listeners: Listener[], topic: Topic, content: Content, id: string | undefined): void {
    for (const listener of listeners) {
      try {
        const result = listener(content.message, receivedOf(topic, content, id))
        if (isThenable(result)) Promise.resolve(result).catch(error => { logError(this.#log, error) })
      } catch (error) {
        logError(this.#log, error)
      }
    }
  }
}

function writeToAll (topic: Topic, message: Message, id: string | undefined, except: Member | undefined): void {
  for (const member of topic.members) if (member !== except) member.write(message)
  if (topic.catchUps === undefined) return
  for (const catchUp of topic.catchUps) {
    if (catchUp.member === except || !catchUp.hear(id, message)) continue
    topic.catchUps.delete(catchUp)
    topic.add(catchUp.member)
  }
}

function receivedOf ({ name }: Topic, { isBinary }: Content, id: string | undefined): Received {
  return { topic: name, id, binary: isBinary }
}
