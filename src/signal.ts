// request.signal goes on after the handshake: it aborts when the connection closes.
// Fastify makes it when it is first read, and listens for the end of the raw request then; but an upgrade's raw request has no
// end of its own, and reply.hijack() takes that listener off. A connection keeps the controller, once there is one, and
// nothing else of the request.

import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { Connection } from './connection'

export function abortOnClose ({ socket, request }: Pick<Connection, 'socket' | 'request'>): void {
  const { raw } = request
  if (!keepController()) raw.on('newListener', onNewListener)

  function onNewListener (event: string | symbol): void {
    if (event === 'close' && keepController()) raw.off('newListener', onNewListener)
  }

  function keepController (): boolean {
    const controller = controllerOf(request)
    if (controller !== undefined) abortWith(controller, socket)
    return controller !== undefined
  }
}

function abortWith (controller: AbortController, socket: WebSocket): void {
  if (socket.readyState === socket.CLOSED) controller.abort()
  else socket.on('close', () => { controller.abort() })
}

/**
 * What Fastify aborts request.signal by, if that was read. Reading it here would make it, and there is no public way to abort
 * one: all versions that have it keep the controller under a symbol of this name.
 */
function controllerOf (request: FastifyRequest): AbortController | undefined {
  const key = Object.getOwnPropertySymbols(request).find(({ description }) => description === 'fastify.request.signal')
  return key && Reflect.get(request, key)
}
