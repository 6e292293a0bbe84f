// Listeners of a socket run in the async context of its request, as those of an EventEmitterAsyncResource would: an
// AsyncLocalStorage that a hook has filled, or the parent of a trace, is there in 'message' too. Node runs them in the context
// of the connection, which began before the request. A connection without any store pays nothing from here on.

import { AsyncResource } from 'node:async_hooks'
import type { WebSocket } from 'ws'
import { replaceEmit } from './emit'
import type { Emit } from './emit'

const PROBE = { requireManualDestroy: true }
// Symbols of a resource that carry nothing.
const IDS = 2

/** Of whoever calls. */
export function keepContext (socket: WebSocket): void {
  if (!hasStore()) return
  const context = new AsyncResource('fastify-wss')
  const emit: Emit = socket.emit
  replaceEmit(socket, function emitInContext (...args) {
    return context.runInAsyncScope(emit, this, ...args)
  })
}

/**
 * Node has no public way to ask whether any store is active. All supported versions keep what they carry on, and nothing else
 * but two ids, under symbols of a resource; what an async hook adds is taken for a store.
 */
function hasStore (): boolean {
  const probe = new AsyncResource('fastify-wss', PROBE)
  const keys = Object.getOwnPropertySymbols(probe)
  return keys.length > IDS && keys.filter(key => Reflect.get(probe, key) !== undefined).length > IDS
}
