// The response to an upgrade. Once it has begun the upgrade is refused, whoever gave it, and it ends the connection.
// Every way to begin one leads through writeHead, which is why that is where it tells its owner. What comes after the
// plugin's own answer is dropped.

import { ServerResponse } from 'node:http'
import type { IncomingMessage } from 'node:http'

export interface ResponseOwner {
  onResponseBegun: () => void
  /** All of it is out. One that breaks off has lost its socket. */
  onResponseSent: () => void
}

export class UpgradeResponse extends ServerResponse {
  readonly #owner: ResponseOwner
  #isSealed = false

  constructor (rawRequest: IncomingMessage, owner: ResponseOwner) {
    super(rawRequest)
    this.#owner = owner
  }

  /** It is whole: what a hook that was under way still writes is dropped, where Node would throw into Fastify's callbacks. */
  seal (): void {
    this.#isSealed = true
  }

  override write (...args: unknown[]): boolean {
    return !this.#isSealed && Reflect.apply(super.write, this, args)
  }

  override end (...args: unknown[]): this {
    return this.#isSealed ? this : Reflect.apply(super.end, this, args)
  }

  override writeHead (...args: unknown[]): this {
    if (this.#isSealed) return this
    this.setHeader('connection', 'close')
    Reflect.apply(super.writeHead, this, args.map(withoutConnection))
    this.once('finish', () => { this.#owner.onResponseSent() })
    this.#owner.onResponseBegun()
    return this
  }
}

// The headers that a caller gives to writeHead win over those that were set before.
function withoutConnection (argument: unknown): unknown {
  // Names and values in turn.
  if (Array.isArray(argument)) return argument.filter((_each, index) => !isConnection(argument[index - index % 2]))
  if (typeof argument !== 'object' || argument === null) return argument
  return Object.fromEntries(Object.entries(argument).filter(([name]) => !isConnection(name)))
}

function isConnection (name: unknown): boolean {
  return String(name).toLowerCase() === 'connection'
}
