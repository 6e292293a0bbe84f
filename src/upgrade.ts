// An upgrade that nobody has answered yet: the one owner of its raw socket.
// It ends exactly once: accepted (ws owns the socket from then on) or refused (a response owns it until it is flushed,
// then the socket is closed). A response means refusal, whoever writes it, so no order of hooks, no scope and no early
// error of the router can skip the end. A client that leaves before either is told to the request as an abort.

import { STATUS_CODES } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { finished } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import type { FastifyReply } from 'fastify'
import { afterEarlierResponses, readAhead, unguardSocket } from './raw-socket'
import { UpgradeResponse } from './response'

// How long a refused client may keep its half of the connection open once it has been sent everything.
const LINGER = 1000

const kUpgrade = Symbol('fastify-wss.upgrade')

type Marked<T> = T & { [kUpgrade]?: PendingUpgrade | undefined }

/** The websocket upgrade that a request asks for, also after its end; undefined for a plain request. */
export function upgradeOf (rawRequest: IncomingMessage): PendingUpgrade | undefined {
  const upgrade = ownerOf(rawRequest)
  return upgrade?.isWebsocket === true ? upgrade : undefined
}

export class PendingUpgrade {
  readonly rawRequest: IncomingMessage
  readonly rawSocket: Socket
  readonly rawResponse: ServerResponse
  readonly head: Buffer
  /** False for a request that offered another protocol and is answered as a plain one. */
  readonly isWebsocket: boolean
  /** False once the client left or somebody ended this upgrade. */
  isPending = true
  /** What hooks have set on it goes with the 101. */
  reply: FastifyReply | undefined
  readonly #patience: number
  readonly #owned: Set<PendingUpgrade>
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
    owned.add(this)
    mark(rawRequest, this)
    mark(rawSocket, this)
    rawSocket.on('end', onClientEnd)
    rawSocket.on('close', onSocketClose)
  }

  /** Gives the socket to this upgrade's response once it is its turn. */
  takeTurn (onTurn: () => void): void {
    afterEarlierResponses(this.rawRequest.socket, () => {
      this.rawResponse.assignSocket(this.rawSocket)
      onTurn()
    })
  }

  /** While somebody takes time over the answer: sees the client leave, also one that sent frames before. */
  watchClient (): void {
    if (!this.isPending || this.#putBack !== undefined) return
    this.#putBack = readAhead(this.rawSocket)
    this.rawSocket.off('end', onClientEnd).on('end', onClientEnd)
  }

  /** Before anybody else reads from the socket. */
  unwatchClient (): void {
    this.#putBack?.()
    this.#putBack = undefined
    // ws adds a listener of its own: an array of listeners that was three long stays large for the life of the socket.
    this.rawSocket.off('end', onClientEnd)
  }

  /** ws has written the 101: nothing of the HTTP exchange may hold on to the socket any more. */
  accept (): void {
    this.leave()
    this.rawResponse.detachSocket(this.rawSocket)
    unguardSocket(this.rawSocket)
  }

  /** Somebody else answers. Only the guard against a reset stays. */
  leave (): void {
    this.isPending = false
    this.reply = undefined
    this.#owned.delete(this)
    this.rawSocket.off('end', onClientEnd)
    this.rawSocket.off('close', onSocketClose)
    mark(this.rawSocket, undefined)
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
  }

  /** ws, or an application's 'wsClientError' listener, writes the refusal straight to the socket. */
  refusedByWs (): void {
    // ws destroys the socket as soon as it is flushed, which resets a connection with unread bytes.
    this.rawSocket.off('finish', this.rawSocket.destroy)
    this.onResponseBegun()
    finished(this.rawSocket, { readable: false }, () => { this.#linger() })
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

  onResponseOver (): void {
    if (!this.rawResponse.writableFinished) {
      this.rawSocket.destroy()
      return
    }
    this.rawSocket.end()
    this.#linger()
  }

  onSocketClosed (): void {
    this.leave()
    if (this.#isAnswered) this.rawRequest.resume()
    else this.rawRequest.destroy()
  }

  #linger (): void {
    this.#isAnswered = true
    // Bytes left unread would turn the end into a reset, which can overtake the response: read and discard them.
    this.rawSocket.resume()
    setTimeout(destroy, LINGER, this.rawSocket).unref()
  }
}

// A client that closes its half cannot finish a handshake. Once it is being answered it may still read the answer.
function onClientEnd (this: Socket): void {
  if (ownerOf(this)?.isPending === true) this.destroy()
}

function onSocketClose (this: Socket): void {
  ownerOf(this)?.onSocketClosed()
}

function onStalled (this: Socket): void {
  if (this.writableLength > 0 || this.writableEnded) this.destroy()
}

function destroy (rawSocket: Socket): void {
  rawSocket.destroy()
}

function mark (subject: IncomingMessage | Socket, upgrade: PendingUpgrade | undefined): void {
  (subject as Marked<typeof subject>)[kUpgrade] = upgrade
}

function ownerOf (subject: IncomingMessage | Socket): PendingUpgrade | undefined {
  return (subject as Marked<typeof subject>)[kUpgrade]
}
