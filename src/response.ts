// The response to an upgrade. Once it has begun the upgrade is refused, whoever gave it, and it ends the connection.
// Every way to begin one leads through writeHead, which is why that is where it tells its owner.

import { ServerResponse } from 'node:http'
import type { IncomingMessage } from 'node:http'

export interface ResponseOwner {
  onResponseBegun: () => void
  /** It is out, or broke off in the middle. Told once. */
  onResponseOver: () => void
}

export class UpgradeResponse extends ServerResponse {
  readonly #owner: ResponseOwner
  #isOver = false

  constructor (rawRequest: IncomingMessage, owner: ResponseOwner) {
    super(rawRequest)
    this.#owner = owner
    this.on('finish', this.#onOver)
    this.on('close', this.#onOver)
  }

  override writeHead (...args: unknown[]): this {
    this.setHeader('connection', 'close')
    Reflect.apply(super.writeHead, this, args.map(withoutConnection))
    this.#owner.onResponseBegun()
    return this
  }

  #onOver (): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#owner.onResponseOver()
  }
}

// The headers that a caller gives to writeHead win over those that were set before.
function withoutConnection (argument: unknown): unknown {
  if (typeof argument !== 'object' || argument === null || Array.isArray(argument)) return argument
  return Object.fromEntries(Object.entries(argument).filter(([name]) => name.toLowerCase() !== 'connection'))
}
