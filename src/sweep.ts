// One timer looks after all open connections of a registration: an option that has to look at sockets now and then needs no
// timer, no listener and no list of its own. A look may come later than it was asked for, never earlier: passes keep a
// distance that grows with the number of connections, so however many dates there are, looking takes a small part of the time.

import type { WebSocket, WebSocketServer } from 'ws'
import { clearTimeout, LONGEST_DELAY, now, setImmediate, setTimeout } from './clock'
import { connectionsOf } from './connections'

/** Looks at an open connection. Returns when to look again, in the time of `now()`; Infinity: not on its account. */
export type Look = (socket: WebSocket, now: number) => number

// Milliseconds between two passes, for each open connection.
const DISTANCE = 0.02

const sweeps = new WeakMap<WebSocketServer, Sweep>()

export function sweepOf (websocketServer: WebSocketServer): Sweep {
  const known = sweeps.get(websocketServer)
  if (known !== undefined) return known
  const sweep = new Sweep(websocketServer)
  sweeps.set(websocketServer, sweep)
  return sweep
}

export class Sweep {
  readonly #connections: Set<WebSocket>
  readonly #dates = new Map<Look, number>()
  #timer: NodeJS.Timeout | undefined
  #wakesAt = Infinity
  #lastPass = -Infinity

  constructor (websocketServer: WebSocketServer) {
    this.#connections = connectionsOf(websocketServer)
    websocketServer.once('close', () => { this.#stop() })
  }

  /** Has `look` see every open connection, as soon as it is `date`. */
  lookAt (look: Look, date: number): void {
    if (date >= (this.#dates.get(look) ?? Infinity)) return
    this.#dates.set(look, date)
    this.#schedule()
  }

  #schedule (): void {
    const wakesAt = Math.max(Math.min(...this.#dates.values()), this.#lastPass + DISTANCE * this.#connections.size)
    if (wakesAt >= this.#wakesAt) return
    clearTimeout(this.#timer)
    this.#wakesAt = wakesAt
    this.#timer = setTimeout(this.#onTimer, Math.min(wakesAt - now(), LONGEST_DELAY)).unref()
  }

  // Where the process was busy for a while, Node reads what has arrived meanwhile before it runs an immediate.
  readonly #onTimer = (): void => {
    setImmediate(this.#pass)
  }

  readonly #pass = (): void => {
    const time = now()
    const due = [...this.#dates].filter(([, date]) => date <= time).map(([look]) => ({ look, next: Infinity }))
    for (const { look } of due) this.#dates.delete(look)
    for (const socket of this.#connections) {
      if (socket.readyState !== socket.OPEN) continue
      for (const each of due) each.next = Math.min(each.next, each.look(socket, time))
    }
    this.#lastPass = now()
    this.#wakesAt = Infinity
    for (const { look, next } of due) this.lookAt(look, next)
    if (this.#dates.size > 0) this.#schedule()
  }

  #stop (): void {
    clearTimeout(this.#timer)
    this.#dates.clear()
  }
}
