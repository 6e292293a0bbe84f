import type { Engine } from './pubsub'

export interface Conformance {
  /** A new engine, as another node has one: all of them are connected. Not started yet. */
  create (): Engine

  /** Cuts the engines off from what they stand on, and resolves when they must have noticed. Where this is left out, nothing is cut. */
  interrupt? (): Promise<void>

  /** Ends what `interrupt` did. */
  resume? (): Promise<void>

  /** Milliseconds that anything may take. Default: 5000. */
  timeout?: number
}

export interface ConformanceTest {
  name: string
  /** Rejects where the engine does not hold it. */
  run (): Promise<void>
}

/**
 * What an engine for `fastify-wss/pubsub` has to hold, as tests for any runner:
 *
 * ```js
 * for (const { name, run } of conformance({ create: () => mine(url) })) test(name, run)
 * ```
 *
 * They run one after the other.
 */
export function conformance (options: Conformance): ConformanceTest[]
