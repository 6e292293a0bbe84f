// What Fastify keeps behind a symbol and has no public way to: found by the symbol's name. Whoever asks lives without it where
// there is none.

import type { FastifyInstance } from 'fastify'

export function symbolOf (object: object, name: string): symbol | undefined {
  for (let each: object | null = object; each !== null; each = Object.getPrototypeOf(each)) {
    const found = Object.getOwnPropertySymbols(each).find(({ description }) => description === name)
    if (found !== undefined) return found
  }
}

/**
 * What the application was created with. Fastify publishes a part of it, initialConfig, without the functions among it
 * (rewriteUrl) and without what it made of the router's options.
 */
export function optionsOf<Options extends object> (fastify: FastifyInstance): Partial<Options> {
  const key = symbolOf(fastify, 'fastify.options')
  return key === undefined ? {} : Reflect.get(fastify, key)
}
