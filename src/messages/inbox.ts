// Where the messages of one socket wait for the application. They wait as they came, so that what waits costs what arrived. The wait
// has an end in bytes, past which the socket is paused and TCP holds the client back, and in time.

import type { FastifyBaseLogger } from 'fastify'
import type { WebSocket } from 'ws'
import { clearTimeout, setTimeout } from '../clock'
import { endWith } from '../ending'
import { pauseFor, resumeFor } from '../pausing'
import { costOf } from '../size'

/** What arrived, as ws gave it. */
export interface Arrived {
  data: unknown
  isBinary: boolean
}

interface Waiting {
  arrived: Arrived
  cost: number
}

export interface Bounds {
  maxBufferedAmount: number
  grace: number
}

const REASON = 'unread messages'

export class Inbox {
  readonly #socket: WebSocket
  readonly #bounds: Bounds
  readonly #log: FastifyBaseLogger
  readonly #waiting: Waiting[] = []
  #size = 0
  #timer: NodeJS.Timeout | undefined

  constructor (socket: WebSocket, bounds: Bounds, log: FastifyBaseLogger) {
    this.#socket = socket
    this.#bounds = bounds
    this.#log = log
  }

  push (arrived: Arrived): void {
    const isFull = this.#size > this.#bounds.maxBufferedAmount
    // A socket that is being closed is not paused any more, and nothing else bounds what it brings.
    if (isFull && this.#socket.readyState !== this.#socket.OPEN) return
    const cost = costOf(arrived.data)
    this.#waiting.push({ arrived, cost })
    this.#size += cost
    if (this.#size > this.#bounds.maxBufferedAmount) this.#hold()
  }

  shift (): Arrived | undefined {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) return
    this.#release(waiting.cost)
    return waiting.arrived
  }

  /** Does nothing where it is not there any more. */
  remove (arrived: Arrived): void {
    const index = this.#waiting.findLastIndex(waiting => waiting.arrived === arrived)
    const [removed] = index === -1 ? [] : this.#waiting.splice(index, 1)
    if (removed !== undefined) this.#release(removed.cost)
  }

  drop (): void {
    this.#waiting.length = 0
    this.#release(this.#size)
  }

  #hold (): void {
    pauseFor(this.#socket, REASON)
    this.#timer ??= setTimeout(this.#giveUp, this.#bounds.grace).unref()
  }

  #release (cost: number): void {
    this.#size -= cost
    // Half of it, or each message that is read would let in one more, at the price of a pause.
    if (this.#timer === undefined || this.#size > this.#bounds.maxBufferedAmount / 2) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    resumeFor(this.#socket, REASON)
  }

  readonly #giveUp = (): void => {
    this.#log.warn({ count: this.#waiting.length, grace: this.#bounds.grace }, 'closed a websocket whose messages the application has not read in time')
    endWith(this.#socket, { code: 1013, reason: REASON })
  }
}
