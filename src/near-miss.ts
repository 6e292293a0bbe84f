// At the top level of register() unknown keys are no error: Fastify has options of its own there, and @fastify/websocket
// ignores the rest. One that is nearly an option of ours does nothing either, and that is told once.

import type { FastifyInstance } from 'fastify'

// What options.ts reads; and options of ws, which are looked for in the wrong place.
const OURS = [
  'errorHandler', 'handshakeTimeout', 'options', 'preClose', 'shouldHandle', 'shutdown', 'strictRoutes', 'http2',
  'options.clientTracking', 'options.handleProtocols', 'options.maxPayload', 'options.perMessageDeflate', 'options.server', 'options.verifyClient'
]

// Three make another word.
const LIMIT = 2

/** `names`: of the options that policies come of. */
export function warnOfNearMisses (fastify: FastifyInstance, given: object, names: readonly string[]): void {
  const known = [...OURS, ...names]
  for (const key of Object.keys(given)) {
    const meant = known.includes(key) ? undefined : known.find(name => isNear(key.toLowerCase(), lastPart(name), LIMIT))
    if (meant !== undefined) fastify.log.warn(`the option ${key} is not known to the websocket plugin and has no effect; did you mean ${meant}?`)
  }
}

function lastPart (name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).toLowerCase()
}

/** Whether so many slips lead from one to the other: a letter too many, too few, another, or two in the wrong order. */
function isNear (one: string, other: string, slips: number): boolean {
  if (one === other) return true
  if (slips === 0) return false
  if (one[0] === other[0]) return isNear(one.slice(1), other.slice(1), slips)
  return isNear(one.slice(1), other, slips - 1) ||
    isNear(one, other.slice(1), slips - 1) ||
    isNear(one.slice(1), other.slice(1), slips - 1) ||
    (one[0] === other[1] && one[1] === other[0] && isNear(one.slice(2), other.slice(2), slips - 1))
}
