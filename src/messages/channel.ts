// The messages of one socket, between the wire and whoever reads them. Each is decoded when it is its turn, so what becomes of an
// invalid one does not overtake what came before it. Only a reply that somebody waits for is taken out of the row.

import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { InvalidMessageError } from '../../types/messages'
import { FST_WS_MESSAGES_CLOSED, FST_WS_MESSAGES_NO_REPLY, FST_WS_MESSAGES_TAKEN, FST_WS_MESSAGES_UNSERIALIZABLE } from '../errors'
import { logError } from '../log'
import { isThenable } from '../thenable'
import { decode, validate } from './decoding'
import type { Id, Unsealed } from './envelope'
import { Exchange } from './exchange'
import type { Format } from './format'
import { Inbox } from './inbox'
import type { Arrived } from './inbox'
import type { Settings } from './options'
import { Outbox } from './outbox'
import { Refusal } from './refusal'

/** Instead of a message: there is none now. */
export const NOTHING = Symbol('nothing')

/** Called when there may be something to take, and when the connection has closed. */
export type Reader = () => void

export class Channel {
  readonly format: Format
  /** Where requests and replies are allowed. */
  readonly exchange: Exchange | undefined
  readonly #socket: WebSocket
  readonly #log: FastifyBaseLogger
  readonly #inbox: Inbox
  readonly #outbox: Outbox
  readonly #refusal: Refusal
  #reader: Reader | undefined
  #isOver = false
  #isTold = false

  constructor (socket: WebSocket, format: Format, settings: Settings, request: FastifyRequest) {
    this.format = format
    this.exchange = format.hasReply ? new Exchange() : undefined
    this.#socket = socket
    this.#log = request.log
    this.#inbox = new Inbox(socket, settings, request.log)
    this.#outbox = new Outbox(socket, format.isBinary)
    this.#refusal = new Refusal(socket, settings.invalid, request)
  }

  get isRead (): boolean {
    return this.#reader !== undefined
  }

  get isEnded (): boolean {
    return this.#socket.readyState === this.#socket.CLOSED
  }

  /** From now on messages wait for this reader. */
  open (reader: Reader): void {
    if (this.isRead) throw new FST_WS_MESSAGES_TAKEN()
    this.#reader = reader
    this.#socket.on('message', this.#onMessage)
    this.#socket.on('close', this.#onClose)
  }

  /** Nobody reads any more. */
  close (): void {
    this.#reader = undefined
    this.#socket.off('message', this.#onMessage)
    this.#socket.off('close', this.#onClose)
    this.#inbox.drop()
    this.exchange?.end(new FST_WS_MESSAGES_NO_REPLY('nobody reads its messages any more'))
  }

  /** The next valid message, or NOTHING, or a promise of one of them, which does not reject. */
  take (): unknown {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (next instanceof Promise) return this.#takeLater(next)
      if (next !== NOTHING) return next
    }
    return NOTHING
  }

  /** Of something encoded. */
  send (data: string | Uint8Array): Promise<void> {
    return this.#outbox.send(data)
  }

  /** An error of the application that nobody may be waiting for: the first of a connection is logged. */
  tell (error: unknown): void {
    if (!(error instanceof FST_WS_MESSAGES_UNSERIALIZABLE) || this.#isTold) return
    this.#isTold = true
    logError(this.#log, error)
  }

  async #takeLater (first: Promise<unknown>): Promise<unknown> {
    let next: unknown = await first
    while (next === NOTHING) {
      next = await this.#next()
      if (next === undefined) return NOTHING
    }
    return next
  }

  /** Undefined where nothing waits; NOTHING where what waited is not for the reader. */
  #next (): unknown {
    const arrived = this.#inbox.shift()
    if (arrived === undefined) return
    try {
      const unsealed = decode(this.format, arrived)
      if (!(unsealed instanceof Promise)) return this.#deliver(unsealed)
      return unsealed.then(each => this.#deliver(each), error => this.#refuse(error))
    } catch (error) {
      return this.#refuse(error)
    }
  }

  /** The message, or NOTHING, or a promise. */
  #deliver (unsealed: Unsealed): unknown {
    const { requestId, replyTo } = unsealed
    if (replyTo !== undefined) {
      this.exchange?.settle(replyTo, () => validate(this.format, unsealed))
      return NOTHING
    }
    try {
      const value = validate(this.format, unsealed)
      if (isThenable(value)) return Promise.resolve(value).then(each => this.#note(each, requestId), error => this.#refuse(error, requestId))
      return this.#note(value, requestId)
    } catch (error) {
      return this.#refuse(error, requestId)
    }
  }

  #note (message: unknown, requestId: Id | undefined): unknown {
    if (requestId !== undefined) this.exchange?.note(message, requestId)
    return message
  }

  /** NOTHING, or a promise of it. */
  #refuse (error: unknown, requestId?: Id): unknown {
    const isWaited = this.#refusal.refuse(error as InvalidMessageError, async ({ code, message }) => {
      const reply = requestId === undefined ? undefined : { replyTo: requestId }
      await this.send(this.format.encodeAny({ error: { code, message }, ...reply }))
    })
    if (this.#refusal.isFinal) {
      this.#isOver = true
      this.#inbox.drop()
    }
    return isWaited === undefined ? NOTHING : isWaited.then(() => NOTHING)
  }

  // Whoever waits for a reply may be whom the messages in front of it wait for.
  #lookForReply (arrived: Arrived, exchange: Exchange): void {
    const settle = (unsealed: Unsealed): void => {
      if (!exchange.isAwaited(unsealed.replyTo)) return
      this.#inbox.remove(arrived)
      this.#deliver(unsealed)
    }
    try {
      const unsealed = decode(this.format, arrived)
      if (unsealed instanceof Promise) unsealed.then(settle).catch(() => {})
      else settle(unsealed)
    } catch {
      // Invalid it is in its turn.
    }
  }

  readonly #onMessage = (data: unknown, isBinary: boolean): void => {
    if (this.#isOver) return
    const arrived = { data, isBinary }
    this.#inbox.push(arrived)
    if (this.exchange?.isWaiting === true) this.#lookForReply(arrived, this.exchange)
    this.#reader?.()
  }

  readonly #onClose = (): void => {
    this.exchange?.end(new FST_WS_MESSAGES_CLOSED())
    this.#reader?.()
  }
}
