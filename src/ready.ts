// When the application is ready: everything is loaded and every onReady hook has run, those of all scopes.
// Whoever asks earlier waits, and starts the application where nobody else has. Only an onReady hook that asks does not
// wait, as it would wait for itself; that holds for the hooks after ours, and for what they call.

import type { FastifyInstance } from 'fastify'
import { AsyncLocalStorage } from 'node:async_hooks'

/** Undefined where there is nothing to wait for. */
export type WhenReady = () => PromiseLike<unknown> | undefined

export function createReadiness (fastify: FastifyInstance): WhenReady {
  const root = rootOf(fastify)
  const hook = new AsyncLocalStorage<true>()
  let starting: PromiseLike<unknown> | undefined
  let isReady = false
  fastify.addHook('onReady', onReady)
  return whenReady

  function onReady (done: () => void): void {
    starting = root.ready()
    // Following what is asynchronous has a price, so it ends with the hooks.
    starting.then(stopFollowing, stopFollowing)
    hook.enterWith(true)
    done()
  }

  function stopFollowing (): void {
    hook.disable()
  }

  function whenReady (): PromiseLike<unknown> | undefined {
    if (isReady || hook.getStore() === true) return undefined
    // While the application starts, this is the one promise of the start; afterwards it is a new one.
    const ready = root.ready()
    if (starting === undefined || ready === starting) return ready
    ready.then(undefined, ignore)
    isReady = true
  }
}

function ignore (): void {}

/** The instance that all others of the application inherit from. ready() of the others runs no onReady hooks. */
function rootOf (instance: FastifyInstance): FastifyInstance {
  const above: FastifyInstance | object = Object.getPrototypeOf(instance)
  return 'ready' in above ? rootOf(above) : instance
}
