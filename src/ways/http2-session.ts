// A session of HTTP/2 that carries websockets, beside whatever else it carries. As long as it has one, silence is no reason to
// end it: Fastify's http2SessionTimeout and connectionTimeout count again from the end of the last. Once no upgrade is accepted
// any more, it ends (GOAWAY) when the last one is gone; other streams are finished first.

import type { Http2Session, ServerHttp2Stream } from 'node:http2'
import type { Carrier, Terms } from '../upgrade'

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

class WebsocketSession implements Carrier {
  readonly #session: Http2Session
  readonly #terms = new Set<Terms>()
  #websockets = 0
  #timeout = 0
  #isEnding = false
  readonly #onLast: Array<() => void> = []

  constructor (session: Http2Session) {
    this.#session = session
    session.once('close', () => {
      for (const { carriers } of this.#terms) carriers.delete(this)
    })
  }

  add (stream: ServerHttp2Stream, terms: Terms): void {
    this.#terms.add(terms)
    terms.carriers.add(this)
    if (this.#websockets++ === 0) {
      this.#timeout = timeoutOf(this.#session)
      this.#session.setTimeout(0)
    }
    stream.once('close', this.#onWebsocketClosed)
  }

  end (): Promise<void> {
    this.#isEnding = true
    return new Promise(resolve => {
      this.#onLast.push(resolve)
      if (this.#websockets === 0) this.#finish()
    })
  }

  #finish (): void {
    if (!this.#session.closed) this.#session.close()
    for (const resolve of this.#onLast.splice(0)) resolve()
  }

  readonly #onWebsocketClosed = (): void => {
    if (--this.#websockets > 0) return
    if (this.#isEnding) this.#finish()
    else if (!this.#session.closed) this.#session.setTimeout(this.#timeout)
  }
}

/** Milliseconds. Node documents the property on a net.Socket, and sets it on a session in the same function. */
function timeoutOf (session: Http2Session): number {
  return Number(Reflect.get(session, 'timeout')) || 0
}
