// Listeners of a socket run in the async context of its request, as those of an EventEmitterAsyncResource would: an
// AsyncLocalStorage that a hook has filled, or the parent of a trace, is there in 'message' too. Node runs them in the context
// of the connection, which began before the request. A connection without any store pays nothing from here on.

import { AsyncResource, executionAsyncResource } from 'node:async_hooks'
import type { WebSocket } from 'ws'
import { replaceEmit } from './emit'
import type { Emit } from './emit'

const NAME = 'fastify-wss'
const PROBE = { requireManualDestroy: true }
// What Node keeps on a resource: from 24 on a frame with all stores in it, earlier each store by itself.
const keys = Object.getOwnPropertySymbols(new AsyncResource(NAME, PROBE))
const FRAME = keys.find(({ description }) => description === 'context_frame') ?? Symbol('none')
const ASYNC_ID = keys.find(({ description }) => description === 'async_id_symbol') as symbol

/** Of whoever calls. */
export function keepContext (socket: WebSocket): void {
  if (!hasStore()) return
  const context = new AsyncResource(NAME)
  const emit: Emit = socket.emit
  replaceEmit(socket, function emitInContext (...args) {
    return context.runInAsyncScope(emit, this, ...args)
  })
}

/** Node has no public way to ask whether any store is active. */
function hasStore (): boolean {
  return (isHooked() && hasOwnStore(executionAsyncResource())) || hasFrame()
}

/** Stores that are in no frame are carried by an async hook, and where there is one promises have ids. */
function isHooked (): boolean {
  return Reflect.get(Promise.resolve(), ASYNC_ID) !== undefined
}

function hasOwnStore (resource: object): boolean {
  return Object.getOwnPropertySymbols(resource).some(key => key.description === 'kResourceStore' && Reflect.get(resource, key) !== undefined)
}

function hasFrame (): boolean {
  return Reflect.get(new AsyncResource(NAME, PROBE), FRAME) !== undefined
}
