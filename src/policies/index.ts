// The options of a connection: which there are, and which policies a route gets of them. One vocabulary, plugin-wide and per
// route, and the route wins, option by option.

import type { FastifyInstance } from 'fastify'
import type { WebSocketServer } from 'ws'
import { checkKeys } from '../check'
import type { Enrolment } from '../enrolment'
import type { Policy, PolicyKind } from '../policy'
import { handleProtocols } from './handle-protocols'
import { maxPayload } from './max-payload'
import { perMessageDeflate } from './per-message-deflate'
import { verifyClient } from './verify-client'

/** One registration of the plugin, as its policies need it. */
export interface Registration {
  fastify: FastifyInstance
  websocketServer: WebSocketServer
  enrolment: Enrolment
}

/** What the options are set to, by name. */
export type Options = Readonly<Record<string, unknown>>

/** The policies of a route that has these options of its own. Throws for one that is wrong. */
export type PoliciesFor = (ofRoute: Options) => readonly Policy[]

/** An option that a policy comes of; what its policies share they share within a registration. */
export type PolicyMaker = (registration: Registration) => PolicyKind

// In the order in which they have their say.
const MAKERS: readonly PolicyMaker[] = [
  maxPayload,
  perMessageDeflate,
  verifyClient,
  handleProtocols
]

/** Checks what is set plugin-wide. */
export function createPolicies (registration: Registration, ofPlugin: Options, makers = MAKERS): PoliciesFor {
  const kinds = makers.map(make => make(registration))
  const pluginWide = new Map(kinds.filter(({ only }) => only !== 'route').map(({ name, read }) => [name, read(ofPlugin[name], name)]))
  const perRoute = kinds.filter(({ only }) => only !== 'plugin').map(({ name }) => name)

  return function policiesFor (ofRoute) {
    checkKeys('websocket', ofRoute, perRoute)
    return kinds.flatMap(({ name, read }) => {
      const make = ofRoute[name] === undefined ? pluginWide.get(name) : read(ofRoute[name], `websocket.${name}`)
      return make === undefined ? [] : [make()]
    })
  }
}
