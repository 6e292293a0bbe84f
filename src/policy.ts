// What an option does in the way of a connection: the two points at which a policy has its say. Policies are made once per
// route, of the route's options; whoever runs them knows none by name, and a route without any pays nothing.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'

export interface Policy {
  /** Before the handshake, after the application's hooks. What it throws or rejects with refuses the upgrade, as of a hook. */
  admit?: (request: FastifyRequest, reply: FastifyReply) => unknown
  /** The connection is open and its handler about to run. Returns what is to be done when it has closed. */
  open?: (socket: WebSocket, request: FastifyRequest) => (() => void) | undefined
}

/** Asks one after the other. Undefined where there is nobody to ask. */
export function admit (policies: readonly Policy[], request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined {
  const asked = policies.filter(policy => policy.admit !== undefined)
  return asked.length === 0 ? undefined : askEach(asked, request, reply)
}

async function askEach (policies: readonly Policy[], request: FastifyRequest, reply: FastifyReply): Promise<void> {
  for (const policy of policies) await policy.admit?.(request, reply)
}

export function open (policies: readonly Policy[], socket: WebSocket, request: FastifyRequest): void {
  for (const policy of policies) {
    const close = policy.open?.(socket, request)
    if (close !== undefined) socket.once('close', close)
  }
}
