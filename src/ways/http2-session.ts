// A session of HTTP/2 that carries websockets, beside whatever else it carries. As long as it has one, silence is no reason to
// end it: Fastify's http2SessionTimeout and connectionTimeout count again from the end of the last. Once nobody who has one there
// accepts upgrades any more, it ends (GOAWAY) when the last one is gone; other streams are finished first, for a client that takes
// anything. One that does not would keep its session, and so the server, for ever; so would one whose end Node has missed
// (nodejs/node#61304).

import type { Http2Session, ServerHttp2Stream } from 'node:http2'
import { clearInterval, setInterval } from '../clock'
import { bytesUnsent } from '../progress'
import type { Carrier, Terms } from '../upgrade'

// Milliseconds. The buffers of the system make progress come in steps.
const LEAST_PATIENCE = 1000
// How often it is looked for within the patience.
const LOOKS = 4

const carriers = new WeakMap<Http2Session, WebsocketSession>()

/** From now on the stream is a websocket. */
export function carryWebsocket (stream: ServerHttp2Stream, terms: Terms): void {
  const { session } = stream
  // It is over, and so is the stream.
  if (session === undefined || session.destroyed) return
  const carrier = carriers.get(session) ?? new WebsocketSession(session)
  carriers.set(session, carrier)
  carrier.add(stream, terms)
}

/** The websockets of one registration on it. */
interface Share {
  count: number
  isEnding: boolean
  onLast: Array<() => void>
  onClosed: () => void
}

class WebsocketSession implements Carrier {
  readonly #session: Http2Session
  readonly #cut: () => Promise<void>
  readonly #shares = new Map<Terms, Share>()
  #timeout = 0
  #timer: NodeJS.Timeout | undefined

  constructor (session: Http2Session) {
    this.#session = session
    this.#cut = cutterOf(session)
    session.once('close', () => {
      clearInterval(this.#timer)
      for (const { carriers } of this.#shares.keys()) carriers.delete(this)
    })
  }

  add (stream: ServerHttp2Stream, terms: Terms): void {
    const share = this.#shareOf(terms)
    if (this.#isEmpty) {
      this.#timeout = timeoutOf(this.#session)
      this.#session.setTimeout(0)
    }
    share.count++
    stream.once('close', share.onClosed)
  }

  end (terms: Terms, patience: number): Promise<void> {
    const share = this.#shareOf(terms)
    share.isEnding = true
    this.#timer ??= this.#watchClient(Math.max(patience, LEAST_PATIENCE))
    return new Promise(resolve => {
      share.onLast.push(resolve)
      this.#settle(share)
    })
  }

  get #isEmpty (): boolean {
    return [...this.#shares.values()].every(({ count }) => count === 0)
  }

  /** Nobody who had websockets here accepts any more. */
  get #isEnding (): boolean {
    return [...this.#shares.values()].every(({ isEnding }) => isEnding)
  }

  #shareOf (terms: Terms): Share {
    const known = this.#shares.get(terms)
    if (known !== undefined) return known
    const share: Share = {
      count: 0,
      isEnding: false,
      onLast: [],
      onClosed: () => {
        share.count--
        this.#settle(share)
      }
    }
    this.#shares.set(terms, share)
    terms.carriers.add(this)
    return share
  }

  #settle (share: Share): void {
    if (this.#isEmpty && !this.#session.closed) {
      if (this.#isEnding) this.#session.close()
      else this.#session.setTimeout(this.#timeout)
    }
    if (share.isEnding && share.count === 0) for (const resolve of share.onLast.splice(0)) resolve()
  }

  #watchClient (patience: number): NodeJS.Timeout {
    let before = unsentOn(this.#session)
    let looks = 0
    return setInterval(() => {
      const unsent = unsentOn(this.#session)
      looks = unsent !== undefined && unsent === before ? looks + 1 : 0
      before = unsent
      if (looks >= LOOKS && this.#isEmpty && this.#isEnding) this.#cut().catch(() => {})
    }, patience / LOOKS).unref()
  }
}

/** Milliseconds. Node documents the property on a net.Socket, and sets it on a session in the same function. */
function timeoutOf (session: Http2Session): number {
  return Number(Reflect.get(session, 'timeout')) || 0
}

/** Undefined where nothing waits. Otherwise another one whenever the system has taken some. */
function unsentOn ({ destroyed, socket, state }: Http2Session): string | undefined {
  if (destroyed) return 'what it was when it was destroyed'
  const unsent = bytesUnsent(socket)
  return unsent > 0 || Number(state.outboundQueueSize) > 0 ? `${unsent} of ${socket.bytesWritten}` : undefined
}

// Once it is closed, a session waits for what is to be sent, also when it is destroyed; and its socket has no destroy() for us.
function cutterOf ({ socket }: Http2Session): () => Promise<void> {
  return socket[Symbol.asyncDispose].bind(socket)
}
