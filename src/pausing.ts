// Who keeps a socket from being read: the application by socket.pause(), and we for reasons of our own. It is read on when
// nobody wants it paused any more, so neither undoes what the other asked for.
// A paused socket does not see its client leave, and answers no close: so what we pause is looked after until it is read on.

import type { WebSocket } from 'ws'
import { clearInterval, setInterval } from './clock'

const PROBE_INTERVAL = 1000

const kPausing = Symbol('fastify-wss.pausing')

type Held = WebSocket & { [kPausing]?: Pausing | undefined }

/** Stops reading for this reason, until it is resumed for the same. Does nothing on a socket that is being closed. */
export function pauseFor (socket: WebSocket, reason: string): void {
  if (socket.readyState !== socket.OPEN) return
  const held: Held = socket
  held[kPausing] ??= new Pausing(held)
  held[kPausing].reasons.add(reason)
}

export function resumeFor (socket: WebSocket, reason: string): void {
  const { [kPausing]: pausing }: Held = socket
  if (pausing?.reasons.delete(reason) === true && pausing.reasons.size === 0) pausing.end()
}

class Pausing {
  readonly reasons = new Set<string>()
  readonly #socket: Held
  readonly #probe: NodeJS.Timeout
  readonly #pause: () => void
  readonly #resume: () => void
  #isPausedByApplication: boolean

  constructor (socket: Held) {
    this.#socket = socket
    this.#isPausedByApplication = socket.isPaused
    this.#pause = socket.pause
    this.#resume = socket.resume
    socket.pause()
    define(socket, () => { this.#isPausedByApplication = true }, () => { this.#isPausedByApplication = false })
    socket.on('close', this.#onClose)
    this.#probe = setInterval(this.#probeClient, PROBE_INTERVAL).unref()
  }

  end (): void {
    const socket = this.#socket
    clearInterval(this.#probe)
    socket.off('close', this.#onClose)
    socket[kPausing] = undefined
    define(socket, this.#pause, this.#resume)
    if (!this.#isPausedByApplication) socket.resume()
  }

  // A pong, because a ping asks for an answer, and the answers of a client that is held back pile up (ws cuts itself off
  // after 60). A socket that is being closed has to read on, up to the client's close frame.
  readonly #probeClient = (): void => {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.pong()
    else this.end()
  }

  readonly #onClose = (): void => {
    this.end()
  }
}

// Put back by assignment: deleting a property would make the socket a slower and larger object.
function define (socket: WebSocket, pause: () => void, resume: () => void): void {
  Object.defineProperties(socket, {
    pause: { value: pause, configurable: true, writable: true, enumerable: false },
    resume: { value: resume, configurable: true, writable: true, enumerable: false }
  })
}
