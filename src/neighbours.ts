// Other 'upgrade' listeners on the same HTTP server (vite, a proxy, socket.io): how to live beside them.
// A socket that somebody else took is left alone, and so is an upgrade that no websocket route of ours matches.

import type { FastifyInstance, RouteOptions } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { responseOn } from './raw-socket'

type Declared = Pick<RouteOptions, 'url' | 'constraints'>

/** True when another listener has answered the upgrade or begun to read from its socket. */
export function isTaken (rawRequest: IncomingMessage, rawSocket: Socket): boolean {
  return rawSocket.destroyed ||
    rawSocket.writableEnded ||
    rawSocket.listenerCount('data') > 0 ||
    rawSocket.listenerCount('readable') > 0 ||
    responseOn(rawSocket)?.req === rawRequest
}

/** Remembers the websocket routes of an application, and tells which upgrades they match. */
export class WebsocketRoutes {
  readonly #routes: Declared[] = []

  add ({ url, constraints }: Declared): void {
    this.#routes.push({ url, constraints })
  }

  matches (fastify: FastifyInstance, rawRequest: IncomingMessage): boolean {
    const path = pathOf(rawRequest)
    return this.#routes.some(route => matchesRoute(fastify, route, path, rawRequest))
  }
}

// Fastify tells that a route matches a path and with which parameters, but not which route: filling the parameters into
// the pattern has to give the path. Strategies of the application cannot be asked; such a route counts as a match.
function matchesRoute (fastify: FastifyInstance, route: Declared, path: string, rawRequest: IncomingMessage): boolean {
  const { host, 'accept-version': version } = rawRequest.headers
  const constraints = { ...route.constraints }
  if ('host' in constraints) Object.assign(constraints, { host })
  if ('version' in constraints) Object.assign(constraints, { version })
  const found = fastify.findRoute({ method: 'GET', url: path, constraints })
  return found !== null && normalize(fill(route.url, found.params)) === normalize(decode(path))
}

// '::' is a colon, ':name', ':name(regex)' and ':name?' are parameters, '*' is the rest.
const PARAMETER = /::|:([^/:().?-]+)(?:\((?:[^()]|\([^()]*\))*\))?\??|\*/gu

function fill (pattern: string, params: Record<string, string | undefined>): string {
  return pattern.replace(PARAMETER, (token, name: string | undefined) => {
    return token === '::' ? ':' : params[name ?? '*'] ?? ''
  })
}

// An application may have chosen to ignore case, trailing or double slashes: ignoring them always errs on our side.
function normalize (path: string): string {
  return path.toLowerCase().replace(/\/+/g, '/').replace(/\/$/, '')
}

function decode (path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function pathOf ({ url = '/' }: IncomingMessage): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}
