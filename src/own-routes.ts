// Which upgrades are for a websocket route of this application, where others want upgrades too: asked of a router like the
// application's own that holds those routes only. It is filled when it is first asked, which most never are.

import findMyWay from 'find-my-way'
import type { Config, HTTPVersion, Instance } from 'find-my-way'
import type { FastifyInstance, RouteOptions } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { optionsOf } from './internals'

type Declared = Pick<RouteOptions, 'url' | 'constraints'>

type Router = Instance<HTTPVersion.V1>

interface FastifyOptions {
  routerOptions?: Config<HTTPVersion.V1>
  rewriteUrl?: (this: FastifyInstance, rawRequest: IncomingMessage) => unknown
}

export class OwnRoutes {
  readonly #fastify: FastifyInstance
  readonly #declared: Declared[] = []
  #router: Router | undefined

  constructor (fastify: FastifyInstance) {
    this.#fastify = fastify
  }

  add ({ url, constraints }: Declared): void {
    this.#declared.push({ url, constraints })
  }

  matches (rawRequest: IncomingMessage): boolean {
    const { routerOptions, rewriteUrl } = optionsOf<FastifyOptions>(this.#fastify)
    this.#router ??= createRouter(routerOptions)
    for (const route of this.#declared.splice(0)) declare(this.#router, route)
    // The application has its say in the router's way, but this is not yet the request.
    const asked: IncomingMessage = Object.create(rawRequest, {
      method: { value: 'GET', writable: true },
      url: { value: rawRequest.url ?? '/', writable: true }
    })
    if (rewriteUrl !== undefined) asked.url = String(rewriteUrl.call(this.#fastify, asked))
    return Boolean(this.#router.lookup(asked, Object.create(null) as ServerResponse))
  }
}

function createRouter (options: Config<HTTPVersion.V1> | undefined): Router {
  return findMyWay({ ...options, defaultRoute: isNotOurs, onBadUrl: isNotOurs, onMaxParamLength: isOurs })
}

// A strategy of the application may be unknown here, or answer later: such a route counts as a match.
const STRATEGIES = ['host', 'version']

function declare (router: Router, { url, constraints }: Declared): void {
  const known = Object.entries(constraints ?? {}).filter(([name]) => STRATEGIES.includes(name))
  const options = { constraints: Object.fromEntries(known) }
  if (!router.hasRoute('GET', url, options.constraints)) router.on('GET', url, options, isOurs)
}

function isOurs (): boolean {
  return true
}

function isNotOurs (): boolean {
  return false
}
