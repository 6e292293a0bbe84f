// catchListenerErrors: what a listener of the socket throws or rejects with goes to the errorHandler, and the process lives.
// A stand-in for the socket's emit calls the listeners as they are, so order, `this`, once and removal are Node's. What ws
// calls for addEventListener and onmessage = drops the result of the application's function, so there that function is
// wrapped as it is added.

import { EventEmitter, errorMonitor } from 'node:events'
import type { WebSocket } from 'ws'
import { BOOLEAN, check } from '../check'
import type { Connection } from '../connection'
import { replaceEmit } from '../emit'
import type { Emit } from '../emit'
import { isThenable } from '../thenable'
import type { PolicyMaker } from '.'

const kFail = Symbol('fastify-wss.fail')

interface Caught extends WebSocket { [kFail]: (error: unknown) => void }

type Handler = (this: WebSocket, event: unknown) => unknown

export const catchListenerErrors: PolicyMaker = () => ({
  name: 'catchListenerErrors',
  read (value, name) {
    check(name, value, BOOLEAN)
    if (value === true) return () => ({ open: catchErrors })
  }
})

function catchErrors ({ socket, fail: value }: Connection): undefined {
  const emit: Emit = socket.emit
  Object.defineProperties(socket, { ...STAND_INS, [kFail]: { value } })
  // One that is not Node's own has to be asked: of what fails in there only what is thrown is seen.
  replaceEmit(socket, emit === EventEmitter.prototype.emit ? emitCaught : emitThrough(emit))
}

function emitCaught (this: WebSocket, event: string | symbol, ...args: unknown[]): boolean {
  const listeners = this.rawListeners(event)
  if (event === 'error') {
    this.emit(errorMonitor, ...args)
    if (listeners.length === 0) fail(this, args[0])
  }
  for (const listener of listeners) {
    try {
      catchRejection(this, Reflect.apply(listener, this, args))
    } catch (error) {
      fail(this, error)
    }
  }
  return listeners.length > 0
}

function emitThrough (emit: Emit): Emit {
  return function emitOwn (...args) {
    try {
      return Reflect.apply(emit, this, args)
    } catch (error) {
      fail(this, error)
      return true
    }
  }
}

function catchRejection (socket: WebSocket, result: unknown): void {
  if (isThenable(result)) Promise.resolve(result).then(undefined, error => { fail(socket, error) })
}

function fail (socket: WebSocket, error: unknown): void {
  (socket as Caught)[kFail](error)
}

// By what the application gave, for all sockets: the same function has the same wrapping.
const wrapped = new WeakMap<object, Handler>()
const given = new WeakMap<Handler, unknown>()

function wrap (handler: unknown): unknown {
  if (handler === null || (typeof handler !== 'function' && typeof handler !== 'object')) return handler
  const known = wrapped.get(handler) ?? function callHandler (this: WebSocket, event: unknown): void {
    const isObject = typeof handler === 'object' && 'handleEvent' in handler
    catchRejection(this, Reflect.apply((isObject ? handler.handleEvent : handler) as Handler, isObject ? handler : this, [event]))
  }
  wrapped.set(handler, known)
  given.set(known, handler)
  return known
}

const REPLACEABLE = { configurable: true, writable: true }

const STAND_INS: PropertyDescriptorMap = {
  addEventListener: {
    ...REPLACEABLE,
    value (this: WebSocket, type: string, handler: unknown, options?: object) {
      Reflect.apply(Object.getPrototypeOf(this).addEventListener, this, [type, wrap(handler), options])
    }
  },
  removeEventListener: {
    ...REPLACEABLE,
    value (this: WebSocket, type: string, handler: unknown) {
      // One that was added before the socket was ours is not wrapped.
      for (const each of [wrap(handler), handler]) Reflect.apply(Object.getPrototypeOf(this).removeEventListener, this, [type, each])
    }
  },
  ...Object.fromEntries(['onopen', 'onmessage', 'onerror', 'onclose'].map(name => [name, {
    configurable: true,
    get (this: WebSocket) {
      const handler = Reflect.get(Object.getPrototypeOf(this), name, this)
      return given.get(handler) ?? handler
    },
    // ws adds it by addEventListener.
    set (this: WebSocket, handler: unknown) { Reflect.set(Object.getPrototypeOf(this), name, handler, this) }
  }]))
}
