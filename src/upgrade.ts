// An upgrade that nobody has answered yet: the one owner of its raw socket.
// It ends exactly once: accepted (ws owns the socket from then on) or refused (a response owns it until it is flushed,
// then the socket is closed). A response means refusal, whoever writes it, so no order of hooks, no scope and no early
// error of the router can skip the end. A client that leaves before either is told to the request as an abort.

import { STATUS_CODES } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { finished } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import type { FastifyReply } from 'fastify'
import { afterEarlierResponses, guardSocket, readAhead, unguardSocket } from './raw-socket'
import { UpgradeResponse } from './response'

// How long a refused client may keep its half of the connection open once it has been sent everything.
const LINGER = 1000

const kUpgrade = Symbol('fastify-wss.upgrade')

type Marked = IncomingMessage & { [kUpgrade]?: PendingUpgrade }

/** The websocket upgrade that a request asks for, also after its end; undefined for a plain request. */
export function upgradeOf (rawRequest: IncomingMessage): PendingUpgrade | undefined {
  const upgrade = (rawRequest as Marked)[kUpgrade]
  return upgrade?.isWebsocket === true ? upgrade : undefined
}

export class PendingUpgrade {
  readonly rawRequest: IncomingMessage
  readonly rawSocket: Socket
  readonly rawResponse: UpgradeResponse
  readonly head: Buffer
  /** False for a request that offered another protocol and is answered as a plain one. */
  readonly isWebsocket: boolean
  /** False once the client left or somebody ended this upgrade. */
  isPending = true
  /** What hooks have set on it goes with the 101. */
  reply: FastifyReply | undefined
  readonly #patience: number
  readonly #owned: Set<PendingUpgrade>
  #isAccepted = false
  #isAnswered = false
  #putBack: (() => void) | undefined

  /** patience: the milliseconds that a client may stop reading its refusal. owned: the set this is in until its socket is somebody else's. */
  constructor (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer, isWebsocket: boolean, patience: number, owned: Set<PendingUpgrade>) {
    this.rawRequest = rawRequest
    this.rawSocket = rawSocket
    this.rawResponse = new UpgradeResponse(rawRequest, this)
    this.head = head
    this.isWebsocket = isWebsocket
    this.#patience = patience
    this.#owned = owned
    const marked: Marked = rawRequest
    marked[kUpgrade] = this
  }

  /** Gives the socket to this upgrade's response once it is its turn. */
  takeTurn (onTurn: () => void): void {
    afterEarlierResponses(this.rawRequest.socket, () => {
      this.rawResponse.assignSocket(this.rawSocket)
      onTurn()
    })
    // Until here the socket could tell nothing. Most upgrades are accepted by now, and never have a listener of ours.
    if (!this.#isAccepted) this.#keepSocket()
  }

  /** While somebody takes time over the answer: sees the client leave, also one that sent frames before. */
  watchClient (): void {
    if (this.isPending) this.#putBack ??= readAhead(this.rawSocket)
  }

  /** Before anybody else reads from the socket. */
  unwatchClient (): void {
    this.#putBack?.()
    this.#putBack = undefined
  }

  /** ws has written the 101: nothing of the HTTP exchange may hold on to the socket any more. */
  accept (): void {
    this.#isAccepted = true
    this.#letGo()
    this.rawResponse.detachSocket(this.rawSocket)
    unguardSocket(this.rawSocket)
  }

  /** Answers with an error of the plugin. Does nothing when the upgrade has ended. */
  refuse ({ statusCode = 500, code, message }: FastifyError): void {
    if (!this.isPending) return
    const body = JSON.stringify({ statusCode, code, error: STATUS_CODES[statusCode], message })
    this.rawResponse.writeHead(statusCode, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body)
    })
    this.rawResponse.end(body)
    this.rawResponse.seal()
  }

  /** ws, or an application's 'wsClientError' listener, writes the refusal straight to the socket. */
  refusedByWs (): void {
    // ws destroys the socket as soon as it is flushed, which resets a connection with unread bytes.
    this.rawSocket.off('finish', this.rawSocket.destroy)
    this.onResponseBegun()
    finished(this.rawSocket, { readable: false }, error => { if (!error) this.#linger() })
  }

  onResponseBegun (): void {
    if (!this.isPending) return
    this.isPending = false
    this.unwatchClient()
    this.rawSocket.pause()
    // Of the request: for an upgrade with a body Node 26 gives a stream of its own in place of the socket.
    this.rawRequest.socket.setTimeout(this.#patience)
    this.rawRequest.socket.on('timeout', onStalled)
  }

  onResponseSent (): void {
    this.rawSocket.end()
    this.#linger()
  }

  #keepSocket (): void {
    this.#owned.add(this)
    guardSocket(this.rawSocket)
    this.rawSocket.on('close', this.#onSocketClosed)
  }

  readonly #onSocketClosed = (): void => {
    this.#letGo()
    if (this.#isAnswered) this.rawRequest.resume()
    else this.rawRequest.destroy()
  }

  #letGo (): void {
    this.isPending = false
    this.reply = undefined
    if (this.#owned.delete(this)) this.rawSocket.off('close', this.#onSocketClosed)
  }

  #linger (): void {
    this.#isAnswered = true
    // Bytes left unread would turn the end into a reset, which can overtake the response: read and discard them.
    this.rawSocket.resume()
    setTimeout(destroy, LINGER, this.rawSocket).unref()
  }
}

function onStalled (this: Socket): void {
  if (this.writableLength > 0 || this.writableEnded) this.destroy()
}

function destroy (rawSocket: Socket): void {
  rawSocket.destroy()
}
