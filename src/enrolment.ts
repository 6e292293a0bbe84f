// One registration of the plugin, as the dispatcher of its HTTP server knows it: which upgrades it wants, and what becomes of
// those that it gets. They go through Fastify's router, or are refused while the application closes.

import type { FastifyError } from '@fastify/error'
import type { FastifyInstance } from 'fastify'
import type { IncomingMessage } from 'node:http'
import { FST_WS_CLOSING, FST_WS_HANDSHAKE_FAILED } from './errors'
import { logError } from './log'
import { mark } from './upgrade'
import type { Carrier, PendingUpgrade, Terms } from './upgrade'

/** Asked about each upgrade before anything else. An error refuses it. */
export type Gate = (upgrade: PendingUpgrade) => FastifyError | undefined

export class Enrolment implements Terms {
  readonly fastify: FastifyInstance
  readonly handshakeTimeout: number
  readonly upgrades = new Set<PendingUpgrade>()
  readonly carriers = new Set<Carrier>()
  readonly gates: Gate[] = []
  isClosing = false
  /** For a localhost of two addresses Fastify has a second server, which ends later and hands its upgrades over to the first. */
  hasSecondServer = false
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
      const refusal = this.isClosing ? new FST_WS_CLOSING() : this.#askGates(upgrade)
      if (refusal === undefined) this.#route(upgrade)
      else upgrade.refuse(refusal)
    })
  }

  #askGates (upgrade: PendingUpgrade): FastifyError | undefined {
    for (const gate of this.gates) {
      const refusal = gate(upgrade)
      if (refusal !== undefined) return refusal
    }
  }

  /** From now on every upgrade, also a pending one, is refused with 503. */
  refuseUpgrades (): void {
    this.isClosing = true
    this.hasSecondServer = this.fastify.addresses().length > 1
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
