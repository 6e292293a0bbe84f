import type { Engine, HistoryOptions } from './pubsub'

/**
 * A client of Redis, by what it can do: those of `ioredis` 5 and 6 (`@fastify/redis`), `iovalkey` and `redis` (node-redis) 6;
 * and `Cluster` of `ioredis` 6.
 */
export interface RedisClient {
  duplicate (...args: never[]): unknown
}

export interface RedisOptions {
  /**
   * The application's own client, as `app.redis` of `@fastify/redis`. Two connections are made after it (`duplicate()`), of a
   * `Cluster` two to each master, which have to be Redis 7 then: topics are sharded over them. It is
   * not used itself, and stays the application's to close.
   */
  client: RedisClient

  /** In front of the names of channels and streams, behind the `keyPrefix` of the client. Default: `fastify-wss:`. */
  prefix?: string

  /**
   * Keeps the last messages of each topic in a stream of Redis, for `after`, and to fetch what was published while this node was
   * cut off from Redis. `true`: 100, for five minutes. All nodes deliver in the order of the stream then, also what they publish
   * themselves, and nothing is delivered while Redis is away. All nodes have to say the same. Needs Redis 7. Default: false.
   */
  history?: boolean | HistoryOptions

  /**
   * Lets the application start without Redis. Otherwise the registration rejects with `FST_WS_PUBSUB_UNAVAILABLE`. Default:
   * false.
   */
  lazy?: boolean
}

/** The engine that is Redis. */
export function redis (options: RedisOptions): Engine
