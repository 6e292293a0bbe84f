// An upgrade over HTTP/1.1: it has a connection of its own, a net.Socket or any other Duplex that was given to the server,
// and Node's parser has let go of it. What becomes of it is told in ../upgrade.ts.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { finished } from 'node:stream'
import { setTimeout } from '../clock'
import { tellRefusal } from '../diagnostics'
import { PendingUpgrade } from '../upgrade'
import type { Terms } from '../upgrade'
import { isWebsocketUpgrade } from './foreign'
import { afterEarlierResponses, guardSocket, unguardSocket } from './raw-socket'
import { UpgradeResponse } from './response'
import { countReaders, limitStall, readAhead, stopFlow } from './waiting'

// How long a refused client may keep its half of the connection open once it has been sent everything.
const LINGER = 1000

export class Http1Upgrade extends PendingUpgrade {
  readonly rawRequest: IncomingMessage
  readonly stream: Socket
  readonly head: Buffer
  readonly rawResponse: UpgradeResponse
  readonly #terms: Terms
  readonly #readersBefore: number
  // None before its turn.
  #bytesBefore: number | undefined = -1
  #isOver = false
  #isAnswered = false
  #isRead = false
  #putBack: (() => void) | undefined

  constructor (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer, terms: Terms) {
    super()
    this.rawRequest = rawRequest
    this.stream = rawSocket
    this.head = head
    this.rawResponse = new UpgradeResponse(rawRequest, this)
    this.#terms = terms
    this.#readersBefore = countReaders(rawSocket)
  }

  takeTurn (onTurn: () => void): void {
    afterEarlierResponses(this.rawRequest.socket, () => {
      this.rawResponse.assignSocket(this.stream)
      this.#bytesBefore = this.stream.bytesWritten
      onTurn()
    })
    // Until here the socket could tell nothing. Most upgrades are accepted by now, and never have a listener of ours.
    if (!this.#isOver) this.#keepSocket()
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

  // Who took it has not hijacked the reply for sure: if it comes to a response or to the handler after all, those count.
  isTaken (): boolean {
    this.#isRead ||= this.#putBack === undefined && countReaders(this.stream) > this.#readersBefore
    return this.#isRead || this.isWritten()
  }

  isWritten (): boolean {
    return this.stream.bytesWritten !== this.#bytesBefore && !this.rawResponse.headersSent
  }

  accept (): void {
    if (this.#letGo()) unguardSocket(this.stream)
    this.rawResponse.detachSocket(this.stream)
  }

  refusedByWs (statusCode: number | undefined): void {
    // ws destroys the socket as soon as it is flushed, which resets a connection with unread bytes.
    this.stream.off('finish', this.stream.destroy)
    this.#beginRefusal(statusCode)
    finished(this.stream, { readable: false }, error => { if (!error) this.#linger() })
  }

  onResponseBegun (): void {
    this.#beginRefusal(this.rawResponse.statusCode)
  }

  #beginRefusal (statusCode: number | undefined): void {
    if (!this.isPending) return
    this.isPending = false
    this.unwatchClient()
    this.stream.pause()
    // Of the request: for an upgrade with a body Node 26 gives a stream of its own in place of the socket.
    limitStall(this.rawRequest.socket, this.#terms.handshakeTimeout)
    if (isWebsocketUpgrade(this.rawRequest)) tellRefusal(this.rawRequest, statusCode)
  }

  onResponseSent (): void {
    this.stream.end()
    this.#linger()
  }

  protected seal (): void {
    this.rawResponse.seal()
  }

  #keepSocket (): void {
    this.#terms.upgrades.add(this)
    guardSocket(this.stream)
    this.stream.on('close', this.#onSocketClosed)
  }

  readonly #onSocketClosed = (): void => {
    const isTaken = this.isPending && this.isTaken()
    this.#letGo()
    if (this.#isAnswered) this.rawRequest.resume()
    else if (!isTaken) this.rawRequest.destroy()
  }

  /** Whether its socket was kept. */
  #letGo (): boolean {
    this.#isOver = true
    this.isPending = false
    this.reply = undefined
    if (!this.#terms.upgrades.delete(this)) return false
    this.stream.off('close', this.#onSocketClosed)
    return true
  }

  #linger (): void {
    this.#isAnswered = true
    // Bytes left unread would turn the end into a reset, which can overtake the response: read and discard them.
    this.stream.resume()
    setTimeout(destroy, LINGER, this.stream).unref()
  }
}

function destroy (rawSocket: Socket): void {
  rawSocket.destroy()
}
