// The options of a connection: which there are, and which policies a route gets of them. One vocabulary, plugin-wide and per
// route, and the route wins, option by option.

import type { FastifyInstance } from 'fastify'
import type { WebSocketServer } from 'ws'
import { checkKeys } from '../check'
import type { Enrolment } from '../enrolment'
import { warnOfNearMisses } from '../near-miss'
import type { Options, Policy, PolicyKind } from '../policy'
import { catchListenerErrors } from './catch-listener-errors'
import { handleProtocols } from './handle-protocols'
import { heartbeat } from './heartbeat'
import { idleTimeout } from './idle-timeout'
import { logClose } from './log-close'
import { maxConnections } from './max-connections'
import { maxLifetime } from './max-lifetime'
import { maxPayload } from './max-payload'
import { maxPending } from './max-pending'
import { messageRate } from './message-rate'
import { origin } from './origin'
import { perMessageDeflate } from './per-message-deflate'
import { slowConsumer } from './slow-consumer'
import { upgrade } from './upgrade'
import { verifyClient } from './verify-client'

/** One registration of the plugin, as its policies need it. */
export interface Registration {
  fastify: FastifyInstance
  websocketServer: WebSocketServer
  enrolment: Enrolment
}

/** The policies of a route that has these options of its own. Throws for one that is wrong. */
export type PoliciesFor = (ofRoute: Options) => readonly Policy[]

/** An option that a policy comes of; what its policies share they share within a registration. */
export type PolicyMaker = (registration: Registration) => PolicyKind

// In the order in which they have their say. What stands in for a socket's emit comes first: others put theirs in front.
const MAKERS: readonly PolicyMaker[] = [
  catchListenerErrors,
  maxPending,
  origin,
  maxConnections,
  maxPayload,
  perMessageDeflate,
  verifyClient,
  handleProtocols,
  heartbeat,
  maxLifetime,
  idleTimeout,
  slowConsumer,
  messageRate,
  upgrade,
  logClose
]

/** Checks what is set plugin-wide. */
export function createPolicies (registration: Registration, ofPlugin: Options, makers = MAKERS): PoliciesFor {
  const kinds = makers.map(make => make(registration))
  const wide = kinds.filter(({ only }) => only !== 'route')
  const pluginWide = new Map(wide.map(({ name, read }) => [name, read(ofPlugin[name], name, ofPlugin)]))
  const inherited = Object.fromEntries(wide.flatMap(namesOf).map(name => [name, ofPlugin[name]]))
  warnOfNearMisses(registration.fastify, ofPlugin, wide.flatMap(namesOf))
  const perRoute = kinds.filter(({ only }) => only !== 'plugin').flatMap(namesOf)

  return function policiesFor (ofRoute) {
    checkKeys('websocket', ofRoute, perRoute)
    return kinds.flatMap(kind => {
      const make = namesOf(kind).some(name => ofRoute[name] !== undefined) ? readOwn(kind, ofRoute) : pluginWide.get(kind.name)
      return make === undefined ? [] : [make()]
    })
  }

  // A route that switches an option off has nothing of what is said of it plugin-wide.
  function readOwn ({ name, read }: PolicyKind, ofRoute: Options): (() => Policy) | undefined {
    const isOff = ofRoute[name] === false || ofRoute[name] === null
    const set = Object.fromEntries(Object.entries(ofRoute).filter(([, value]) => value !== undefined))
    const options = isOff ? set : { ...inherited, ...set }
    return read(options[name], `websocket.${name}`, options)
  }
}

function namesOf ({ name, also = [] }: PolicyKind): readonly string[] {
  return [name, ...also]
}
