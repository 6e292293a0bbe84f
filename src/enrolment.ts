// One registration of the plugin, as the dispatcher of its HTTP server knows it: which upgrades it wants, and what becomes of
// those that it gets. They go through Fastify's router, or are refused while the application closes.

import type { FastifyInstance } from 'fastify'
import type { IncomingMessage } from 'node:http'
import { FST_WS_CLOSING, FST_WS_HANDSHAKE_FAILED } from './errors'
import { logError } from './log'
import { mark } from './upgrade'
import type { PendingUpgrade, Terms } from './upgrade'

export class Enrolment implements Terms {
  readonly fastify: FastifyInstance
  readonly handshakeTimeout: number
  readonly upgrades = new Set<PendingUpgrade>()
  isClosing = false
  readonly #isOurs: (rawRequest: IncomingMessage) => boolean

  constructor (fastify: FastifyInstance, handshakeTimeout: number, isOurs: (rawRequest: IncomingMessage) => boolean) {
    this.fastify = fastify
    this.handshakeTimeout = handshakeTimeout
    this.#isOurs = isOurs
  }

  matches (rawRequest: IncomingMessage): boolean {
    try {
      return this.#isOurs(rawRequest)
    } catch (error) {
      logError(this.fastify.log, error)
      return false
    }
  }

  receive (upgrade: PendingUpgrade): void {
    mark(upgrade.rawRequest, upgrade)
    upgrade.takeTurn(() => {
      if (this.isClosing) upgrade.refuse(new FST_WS_CLOSING())
      else this.#route(upgrade)
    })
  }

  /** From now on every upgrade, also a pending one, is refused with 503. */
  refuseUpgrades (): void {
    this.isClosing = true
    for (const upgrade of this.upgrades) upgrade.refuse(new FST_WS_CLOSING())
  }

  #route (upgrade: PendingUpgrade): void {
    try {
      this.fastify.routing(upgrade.rawRequest, upgrade.rawResponse)
      upgrade.watchClient()
    } catch (err) {
      this.fastify.log.warn({ err }, 'websocket upgrade failed')
      upgrade.refuse(new FST_WS_HANDSHAKE_FAILED())
    }
  }
}
