// For a localhost of two addresses Fastify has a second server. It hands what comes over HTTP/1.1 to the first one, and nothing
// of what comes over HTTP/2.

import type { FastifyInstance } from 'fastify'
import type { Server } from 'node:http'
import { symbolOf } from '../internals'

/** Tells of them as soon as the application listens. */
export function onSecondServers (fastify: FastifyInstance, tell: (httpServer: Server) => void): void {
  fastify.addHook('onListen', function tellOfSecondServers (done) {
    const key = symbolOf(fastify, 'fastify.serverBindings')
    const servers: Server[] = key === undefined ? [] : Reflect.get(fastify, key)
    for (const server of servers) tell(server)
    done()
  })
}
