// request.signal goes on after the handshake: it aborts when the connection closes.
// Fastify makes it when it is first read, and listens for the end of the raw request then; but an upgrade's raw request has no
// end of its own, and reply.hijack() takes that listener off. A connection keeps the controller, once there is one, and
// nothing else of the request.

import { EventEmitter } from 'node:events'
import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Connection } from './connection'
import { symbolOf } from './internals'

type AbortOnClose = (connection: Pick<Connection, 'socket' | 'request'>) => void

/** For the requests of one application. */
export function createAborter (): AbortOnClose {
  let key: symbol | undefined
  let isKeyKnown = false
  return abortOnClose

  function abortOnClose ({ socket, request }: Pick<Connection, 'socket' | 'request'>): void {
    if (!isKeyKnown) {
      key = findKey(request)
      isKeyKnown = true
    }
    if (key === undefined || abortWith(controllerOf(request), socket)) return
    const { raw } = request
    raw.on('newListener', function onNewListener (event) {
      if (event === 'close' && abortWith(controllerOf(request), socket)) raw.off('newListener', onNewListener)
    })
  }

  function controllerOf (request: FastifyRequest): AbortController | undefined {
    return Reflect.get(request, key as symbol)
  }
}

/** False where there is none. */
function abortWith (controller: AbortController | undefined, socket: WebSocket): boolean {
  if (controller === undefined) return false
  if (socket.readyState === socket.CLOSED) controller.abort()
  else socket.on('close', () => { controller.abort() })
  return true
}

/**
 * Under which a request keeps what Fastify aborts its signal by. Reading the signal makes that, so it is read from a stand-in.
 * There is no public way to abort one: all versions that have it keep the controller under a symbol of this name.
 */
function findKey (request: FastifyRequest): symbol | undefined {
  const standIn: FastifyRequest = Object.create(Object.getPrototypeOf(request), { raw: { value: new EventEmitter() } })
  Reflect.get(standIn, 'signal')
  return symbolOf(standIn, 'fastify.request.signal')
}
