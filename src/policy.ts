// What an option does in the way of a connection. Policies are made once per route, of the options that were checked at its
// declaration; whoever runs them knows none by name, and a route without any pays nothing.

import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Duplex } from 'node:stream'
import type { ServerOptions } from 'ws'
import type { Connection } from './connection'
import { upgradeOf } from './upgrade'

/** The points in the way of a connection at which a policy may have its say, in their order. */
export interface Policy {
  /** With the request's headers, before anything is parsed. What it throws or rejects with refuses the upgrade, as of a hook. */
  onRequest?: (request: FastifyRequest, reply: FastifyReply) => unknown
  /** Before the handshake, after the application's hooks. It refuses likewise. */
  admit?: Admit
  /** What ws is to go by in this handshake, in front of the options of the server. */
  handshake?: ServerOptions
  /** Answers the upgrade in the place of ws. */
  takeOver?: TakeOver
  /** The connection is open and its handler about to run. Returns what is to be done when it has closed. */
  open?: (connection: Connection) => (() => void) | undefined
}

export type Admit = (request: FastifyRequest, reply: FastifyReply) => unknown

/** Gives the websocket that it opened; nothing means that the stream is no more ours. */
export type TakeOver = (this: FastifyInstance, request: FastifyRequest, stream: Duplex, head: Buffer) => unknown

/** What the options are set to, by name. */
export type Options = Readonly<Record<string, unknown>>

/** An option that a policy comes of. */
export interface PolicyKind {
  /** Of the option. */
  name: string
  /** Where it may be set, if not in both places. */
  only?: 'plugin' | 'route'
  /** Other options that say more of it. */
  also?: readonly string[]
  /**
   * Checks what was asked for, and gives the way to make the policy of a route. Undefined where nothing was asked for. All
   * that is set beside it is there too.
   */
  read: (value: unknown, name: string, beside: Options) => (() => Policy) | undefined
}

/** Adds the policies that have a say with the request to the hooks of the route, in front of its own. */
export function hookInto (route: RouteOptions, policies: readonly Policy[]): void {
  const hooks = policies.flatMap(({ onRequest }) => onRequest ?? [])
  if (hooks.length === 0) return
  route.onRequest = [policeRequest, ...[route.onRequest ?? []].flat()]

  async function policeRequest (request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (upgradeOf(request.raw) === undefined) return
    for (const hook of hooks) await hook(request, reply)
  }
}

/** Asks one after the other. */
export async function admit (admissions: readonly Admit[], request: FastifyRequest, reply: FastifyReply): Promise<void> {
  for (const ask of admissions) await ask(request, reply)
}

/** Undefined where the server's own options do. */
export function handshakeOptions (policies: readonly Policy[]): ServerOptions | undefined {
  const options: ServerOptions = Object.assign({}, ...policies.map(({ handshake }) => handshake))
  return Object.keys(options).length === 0 ? undefined : options
}

/** Undefined where ws answers. */
export function takeOverBy (policies: readonly Policy[]): TakeOver | undefined {
  return policies.find(({ takeOver }) => takeOver !== undefined)?.takeOver
}

export function open (policies: readonly Policy[], connection: Connection): void {
  for (const policy of policies) {
    const close = policy.open?.(connection)
    if (close !== undefined) connection.socket.once('close', close)
  }
}
