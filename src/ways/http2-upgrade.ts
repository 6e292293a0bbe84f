// An upgrade over HTTP/2 (RFC 8441): an extended CONNECT, whose stream is one of many in a session. What becomes of it is told
// in ../upgrade.ts. The end of a stream is an end of its own there, so nothing of it touches what else the session carries.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants } from 'node:http2'
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'
import { setImmediate, setTimeout } from '../clock'
import { tellRefusal } from '../diagnostics'
import { PendingUpgrade } from '../upgrade'
import type { Terms } from '../upgrade'
import { translateAnswer } from './http2-answer'
import type { AnswerOwner } from './http2-answer'
import { asResponse, asUpgradeRequest, detachExchange, detachResponse, sealResponse } from './http2-exchange'
import { carryWebsocket } from './http2-session'
import { countReaders, limitStall, readAhead, stopFlow } from './waiting'

// How often it is looked whether the end of a response is out. Node tells when it knows of it, which is earlier.
const POLL = 5

// Nothing comes behind a request: what follows it has frames of its own.
const NO_HEAD = Buffer.alloc(0)

export class Http2Upgrade extends PendingUpgrade implements AnswerOwner {
  readonly rawRequest: IncomingMessage
  readonly rawResponse: ServerResponse
  readonly stream: ServerHttp2Stream
  readonly head = NO_HEAD
  readonly isKeyed: boolean
  readonly #terms: Terms
  readonly #readersBefore: number
  #isOver = false
  #isRead = false
  #isWritten = false
  #putBack: (() => void) | undefined

  constructor (request: Http2ServerRequest, response: Http2ServerResponse, terms: Terms) {
    super()
    const { stream } = request
    this.isKeyed = request.headers['sec-websocket-key'] !== undefined
    this.rawRequest = asUpgradeRequest(request)
    this.rawResponse = asResponse(response)
    this.stream = stream
    this.#terms = terms
    this.#readersBefore = countReaders(stream)
    stream.destroy = cancel
    translateAnswer(stream, this)
  }

  // A request on a stream of its own waits for no other.
  takeTurn (onTurn: () => void): void {
    onTurn()
    // Until here the stream could tell nothing. Most upgrades are accepted by now.
    if (this.#isOver) return
    this.#terms.upgrades.add(this)
    // Before the response hears of it.
    this.stream.prependListener('close', this.#onStreamClosed)
  }

  watchClient (): void {
    if (!this.isPending || this.isTaken()) return
    this.#putBack ??= readAhead(this.stream, () => this.isTaken(), () => {
      this.#isRead = true
      this.#putBack = undefined
    })
  }

  unwatchClient (): void {
    this.#putBack?.()
    this.#putBack = undefined
  }

  handOver (): void {
    this.unwatchClient()
    stopFlow(this.stream)
  }

  take (): void {
    this.unwatchClient()
    this.#isRead = true
  }

  isTaken (): boolean {
    this.#isRead ||= this.#putBack === undefined && countReaders(this.stream) > this.#readersBefore
    return this.#isRead || this.isWritten()
  }

  isWritten (): boolean {
    return this.#isWritten
  }

  accept (): void {
    this.#letGo()
    detachExchange(this.stream)
    carryWebsocket(this.stream, this.#terms)
  }

  refusedByWs (statusCode: number | undefined): void {
    // ws destroys the stream as soon as it is flushed.
    this.stream.off('finish', this.stream.destroy)
    this.#beginRefusal(statusCode)
  }

  onWritten (): void {
    this.#isWritten = true
  }

  onResponseBegun (): void {
    this.#beginRefusal(this.rawResponse.statusCode)
  }

  #beginRefusal (statusCode: number | undefined): void {
    this.isPending = false
    this.unwatchClient()
    this.stream.pause()
    limitStall(this.stream, this.#terms.handshakeTimeout)
    this.stream.once('finish', this.#onResponseSent)
    tellRefusal(this.rawRequest, statusCode)
  }

  protected seal (): void {
    sealResponse(this.rawResponse)
  }

  readonly #onStreamClosed = (): void => {
    if (this.isPending) detachResponse(this.stream)
    this.#letGo()
  }

  // What the client sent meanwhile is discarded.
  readonly #onResponseSent = (): void => {
    this.stream.resume()
    setImmediate(closeOnceSent, this.stream)
  }

  #letGo (): void {
    this.#isOver = true
    this.isPending = false
    this.reply = undefined
    if (this.#terms.upgrades.delete(this)) this.stream.off('close', this.#onStreamClosed)
  }
}

// The client has the whole answer, so no more of its half is needed (RFC 9113 section 8.1).
function closeOnceSent (stream: ServerHttp2Stream): void {
  if (stream.destroyed) return
  if (stream.state.localClose === 1) stream.close(constants.NGHTTP2_NO_ERROR)
  else setTimeout(closeOnceSent, POLL, stream).unref()
}

// An end that nobody agreed on: the client has to hear of it as such.
function cancel (this: ServerHttp2Stream, error?: Error): ServerHttp2Stream {
  if (!this.closed && this.session?.destroyed === false) this.close(constants.NGHTTP2_CANCEL)
  Reflect.apply(Duplex.prototype.destroy, this, [error])
  return this
}
