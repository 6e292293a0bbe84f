// An upgrade that nobody has answered yet, whatever it stands on (see ways/): the one owner of its stream.
// It ends exactly once: accepted (ws owns the stream from then on), refused (a response owns it until it is flushed, then it
// is closed) or taken (the application's own code answers it, and owns it from then on). A response means refusal, whoever
// writes it, and who reads the stream owns it, so no order of hooks, no scope and no early error of the router can skip the
// end. A client that leaves before any of them is told to the request as an abort.

import { STATUS_CODES } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import type { FastifyReply } from 'fastify'

/** What the registration of the plugin that an upgrade is for lays down. */
export interface Terms {
  /** The upgrades whose stream we have to see ended. */
  readonly upgrades: Set<PendingUpgrade>
  /** Milliseconds that a client may stop reading its refusal. */
  readonly handshakeTimeout: number
  /** What carries several upgrades and connections, and outlives them. */
  readonly carriers: Set<Carrier>
}

/** One connection to a client that has many streams. */
export interface Carrier {
  /**
   * This registration accepts no upgrade any more. Settles after its last websocket. Where that is so of all who have websockets on it,
   * it ends after the last; and a client that takes nothing of what is to be sent, for so many milliseconds, is cut.
   */
  end: (terms: Terms, patience: number) => Promise<void>
}

const kUpgrade = Symbol('fastify-wss.upgrade')

type Marked = IncomingMessage & { [kUpgrade]?: PendingUpgrade }

/** The websocket upgrade that a request asks for, also after its end; undefined for a plain request. */
export function upgradeOf (rawRequest: IncomingMessage): PendingUpgrade | undefined {
  return (rawRequest as Marked)[kUpgrade]
}

/** From now on the request is known for a websocket upgrade. */
export function mark (rawRequest: IncomingMessage, upgrade: PendingUpgrade): void {
  const marked: Marked = rawRequest
  marked[kUpgrade] = upgrade
}

export abstract class PendingUpgrade {
  /** False once the client left or somebody ended this upgrade. */
  isPending = true
  /** What hooks have set on it goes with the 101. */
  reply: FastifyReply | undefined
  abstract readonly rawRequest: IncomingMessage
  abstract readonly rawResponse: ServerResponse
  /** What a websocket would be read from and written to. */
  abstract readonly stream: Duplex
  /** What came behind the request. */
  abstract readonly head: Buffer

  /** Has this upgrade answered once it is its turn. */
  abstract takeTurn (onTurn: () => void): void

  /** While somebody takes time over the answer: sees the client leave, also one that sent frames before. */
  abstract watchClient (): void

  /** Before anybody else reads from the stream. */
  abstract unwatchClient (): void

  /** Gives the stream to the application as it would be without us: nothing flows until somebody listens. */
  abstract handOver (): void

  /** The stream is the application's from now on. */
  abstract take (): void

  /** ws has written the 101: nothing of the HTTP exchange may hold on to the stream any more. */
  abstract accept (): void

  /** ws, or an application's 'wsClientError' listener, writes the refusal straight to the stream; the status where it is known. */
  abstract refusedByWs (statusCode: number | undefined): void

  /** Whether the application's own code reads the stream, or has written to it, without a response. */
  abstract isTaken (): boolean

  /** Whether the application's own code has written to the stream, without a response. */
  abstract isWritten (): boolean

  /** Drops what the application still writes to a response that is whole. */
  protected abstract seal (): void

  /** Answers with an error of the plugin. Does nothing when the upgrade has ended, or is in other hands. */
  refuse ({ statusCode = 500, code, message }: FastifyError): void {
    if (!this.isPending || this.isTaken()) return
    const body = JSON.stringify({ statusCode, code, error: STATUS_CODES[statusCode], message })
    this.rawResponse.writeHead(statusCode, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body)
    })
    this.rawResponse.end(body)
    this.seal()
  }

  /** The handshake broke off: an answer, or the end of a stream that has half a one on it. */
  fail (error: FastifyError): void {
    if (this.isPending && this.isTaken()) this.stream.destroy()
    else this.refuse(error)
  }
}
