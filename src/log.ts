// What the application's code threw is logged, and that is all that may come of it.
// A logger reads the fields of an error, and one of them may throw in its turn (a getter, a revoked proxy): then that is
// logged in its place.

import type { FastifyBaseLogger } from 'fastify'

export function logError (log: FastifyBaseLogger, error: unknown): void {
  try {
    log.error(error)
  } catch (failure) {
    log.error(failure)
  }
}
