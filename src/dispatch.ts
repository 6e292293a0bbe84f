// Stage 1: an upgrade, whichever way it came in -> the registration of the plugin that it is for.
// One dispatcher per HTTP server and way, in which registrations enrol, so that they are no strangers to each other. It
// outlives them as long as the server can still hand over an upgrade: then somebody has to answer.

import type { IncomingMessage, Server } from 'node:http'
import type { Enrolment } from './enrolment'
import { listenForUpgrades } from './ways/http1'
import { listenForConnects, speaksHttp2 } from './ways/http2'
import { onSecondServers } from './ways/second-servers'

/** What a way in asks about an upgrade. */
export interface Dispatcher {
  /** Whether one of our registrations wants it, where others listen for upgrades too. */
  claims: (rawRequest: IncomingMessage) => boolean
  /** The registration that it is for, or would be for if nobody else wants it. */
  recipientOf: (rawRequest: IncomingMessage) => Enrolment
}

type Listen = (httpServer: Server, dispatcher: Dispatcher) => () => void

// A dispatcher of its own for each way in: not every registration wants all.
const overHttp1 = new WeakMap<Server, ServerDispatcher>()
const overHttp2 = new WeakMap<Server, ServerDispatcher>()

/** Takes part in the upgrades of the server. Call the result when the registration is over. */
export function enrol (httpServer: Server, enrolment: Enrolment, wantsHttp2: boolean): () => void {
  const leaves = [enrolIn(overHttp1, listenForUpgrades, httpServer, enrolment)]
  if (wantsHttp2 && speaksHttp2(httpServer)) {
    enrolOverHttp2(httpServer)
    if (httpServer === enrolment.fastify.server) onSecondServers(enrolment.fastify, enrolOverHttp2)
  }
  return function leave () {
    for (const leaveOne of leaves) leaveOne()
  }

  function enrolOverHttp2 (server: Server): void {
    leaves.push(enrolIn(overHttp2, listenForConnects, server, enrolment))
  }
}

function enrolIn (dispatchers: WeakMap<Server, ServerDispatcher>, listen: Listen, httpServer: Server, enrolment: Enrolment): () => void {
  const dispatcher = dispatchers.get(httpServer) ?? new ServerDispatcher(httpServer, enrolment, listen)
  dispatchers.set(httpServer, dispatcher)
  dispatcher.enrolments.push(enrolment)
  return function leave () {
    dispatcher.remove(enrolment)
    if (dispatcher.enrolments.length > 0 || enrolment.hasSecondServer) return
    // Where nobody listens any more, Node takes an upgrade for a plain request.
    dispatcher.stopListening()
    dispatchers.delete(httpServer)
  }
}

class ServerDispatcher implements Dispatcher {
  readonly enrolments: Enrolment[] = []
  readonly stopListening: () => void
  // When all are gone: closed as it is, it refuses.
  #last: Enrolment

  constructor (httpServer: Server, first: Enrolment, listen: Listen) {
    this.#last = first
    this.stopListening = listen(httpServer, this)
  }

  remove (enrolment: Enrolment): void {
    this.enrolments.splice(this.enrolments.indexOf(enrolment), 1)
    this.#last = enrolment
    enrolment.isClosing = true
  }

  claims (rawRequest: IncomingMessage): boolean {
    return this.enrolments.some(enrolment => enrolment.matches(rawRequest))
  }

  recipientOf (rawRequest: IncomingMessage): Enrolment {
    const { enrolments } = this
    if (enrolments.length < 2) return enrolments[0] ?? this.#last
    const matching = enrolments.filter(enrolment => enrolment.matches(rawRequest))
    return matching.find(isOpen) ?? matching[0] ?? enrolments.find(isOpen) ?? this.#last
  }
}

function isOpen ({ isClosing }: Enrolment): boolean {
  return !isClosing
}
