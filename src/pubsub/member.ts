// One socket as a hub writes to it. A frame goes straight to the stream, with all others of its tick, where nothing of the
// socket's own is under way; what the application sends in that tick goes out behind what was published before it. Otherwise
// the message goes by socket.send(), behind what ws still deflates or reads. Between the fragments of a message there is no place
// for another one: it waits for the last.

import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import { limitBacklog, mindBacklog } from '../backlog'
import type { BacklogSettings } from '../backlog'
import { deflateOf, isIdle, streamOf } from '../beneath'
import { endWith } from '../ending'
import { hasPlainSend, tellSent } from '../sent'
import type { SocketClass } from '../socket-class'
import type { Batch } from './batch'
import { UNSHARED } from './message'
import type { Message } from './message'
import type { Ticks } from './ticks'
import type { Topic } from './topic'

/** What all members of a hub share. */
export interface Terms {
  ticks: Ticks
  websocketServer: WebSocketServer
  slowConsumer: BacklogSettings | undefined
}

// Bytes that may wait for the last fragment of a message.
const MOST_DEFERRED = 16 * 1024 * 1024
const ENDING = { code: 1013, reason: 'slow consumer' }

const kHub = Symbol('fastify-wss.pubsub')
const kMember = Symbol('fastify-wss.member')

type Marked = WebSocket & { [kHub]?: object, [kMember]?: Member }

/** Undefined where it has never subscribed; null for a socket of another hub, or none. */
export function memberOf (socket: unknown, hub: object): Member | undefined | null {
  if (typeof socket !== 'object' || socket === null) return null
  const { [kHub]: ofSocket, [kMember]: member }: Partial<Marked> = socket
  return ofSocket === hub ? member : null
}

/** Sockets of this class are this hub's. */
export function markClass ({ prototype }: SocketClass, hub: object): void {
  Object.defineProperty(prototype, kHub, { value: hub })
}

export function setMember (socket: WebSocket, member: Member): Member {
  const marked: Marked = socket
  marked[kMember] = member
  return member
}

export class Member {
  readonly socket: WebSocket
  readonly stream: Duplex | undefined
  /** In the order in which it subscribed. */
  topics: Topic[] = []
  readonly #terms: Terms
  readonly #windowBits: number
  /** Of this tick. */
  #batch: Batch | undefined
  /** Bytes that were in the stream when it began. */
  #ahead = 0
  #isCorked = false
  /** While a fragmented message of the application is open. */
  #deferred: { messages: Message[], size: number } | undefined

  constructor (socket: WebSocket, terms: Terms) {
    const deflate = deflateOf(socket)
    this.socket = socket
    this.stream = streamOf(socket)
    this.#terms = terms
    this.#windowBits = deflate?.serverNoContextTakeover === true ? deflate.serverMaxWindowBits : UNSHARED
  }

  /** An array that push() begins has room for 17. */
  join (topic: Topic): void {
    if (this.topics.length === 0) this.topics = [topic]
    else this.topics.push(topic)
  }

  write (message: Message): void {
    const { socket } = this
    if (socket.readyState !== socket.OPEN) return
    // Read once a tick: for many sockets it is much of what a message costs here.
    const bufferedAmount = this.#batch === undefined ? socket.bufferedAmount : this.#ahead + this.#batch.size
    if (this.#deferred !== undefined) this.#defer(message)
    else if (this.#isClear(bufferedAmount)) this.#writeFrame(message, bufferedAmount)
    else socket.send(message.data, message.options)
    const { slowConsumer, websocketServer } = this.#terms
    if (slowConsumer === undefined || bufferedAmount + message.bytes.length <= slowConsumer.maxBufferedAmount) return
    limitBacklog(socket, this.stream, slowConsumer)
    mindBacklog(websocketServer, socket)
  }

  /** Bytes that wait for the end of the tick. */
  get waiting (): number {
    return this.#batch?.size ?? 0
  }

  /** The application is about to write to the stream: not ahead of what was published before, and by the same write. */
  giveWay (): void {
    if (this.#batch === undefined) return
    if (!this.#isCorked) this.stream?.cork()
    this.#isCorked = true
    this.#writeBatch()
  }

  endTick (): void {
    this.#writeBatch()
    if (this.#isCorked) this.stream?.uncork()
    this.#isCorked = false
  }

  /** The application sends a message in fragments from now on. */
  beginFragments (): void {
    this.#deferred ??= { messages: [], size: 0 }
  }

  /** It has sent the last one. */
  endFragments (): void {
    const messages = this.#deferred?.messages ?? []
    this.#deferred = undefined
    for (const message of messages) this.write(message)
  }

  // While there is a batch nothing else has begun: whatever the application sends makes it give way.
  #isClear (bufferedAmount: number): boolean {
    if (!hasPlainSend(this.socket)) return false
    if (this.#batch !== undefined) return true
    return this.stream !== undefined && isIdle(this.socket) && bufferedAmount === this.stream.writableLength
  }

  #writeFrame (message: Message, bufferedAmount: number): void {
    this.#batch = (this.#batch ?? this.#begin(bufferedAmount)).with(message.frame(this.#windowBits))
    tellSent(this.socket, message.data)
  }

  #begin (bufferedAmount: number): Batch {
    const { ticks } = this.#terms
    if (!this.#isCorked) ticks.await(this)
    this.#ahead = bufferedAmount
    return ticks.root
  }

  #writeBatch (): void {
    const { stream } = this
    if (stream?.writable === true) this.#batch?.writeTo(stream)
    this.#batch = undefined
  }

  #defer (message: Message): void {
    const deferred = this.#deferred as { messages: Message[], size: number }
    deferred.messages.push(message)
    deferred.size += message.bytes.length
    if (deferred.size > MOST_DEFERRED) endWith(this.socket, ENDING)
  }
}
