// The clients of Redis that we know, by what they can do and not by their class: ioredis and iovalkey, and node-redis. Each gives
// two connections of ours, made after the application's client: one listens, the other does all else. Neither keeps what it cannot
// send, nor sends anything twice: what was published while Redis was away would come late, and what broke off might come twice.
// Of a cluster there are two connections to each master.

import { clusterLink } from './redis-cluster'
import type { RedisCluster } from './redis-cluster'
import { ioLink, SHARDED } from './redis-io'
import type { IoRedis } from './redis-io'
import { nodeLink } from './redis-node'
import type { NodeRedis } from './redis-node'

export type Argument = string | Buffer

export interface LinkEvents {
  ready: () => void
  lost: (error: Error | undefined) => void
  message: (channel: string, message: Buffer) => void
  /** Of a master of a cluster: it has ended a subscription, as its slot is another one's. */
  moved?: () => void
}

export interface Link {
  /** The command that publishes. */
  publishing: 'PUBLISH' | 'SPUBLISH'
  open: () => void
  subscribe: (channels: string[]) => Promise<void>
  unsubscribe: (channel: string) => Promise<void>
  /** Replies are numbers, Buffers and arrays of those. */
  command: (args: Argument[]) => Promise<unknown>
  /** On the connection that listens. */
  ping: () => Promise<void>
  close: () => void
}

export type RedisClient = IoRedis | RedisCluster | NodeRedis

export function isRedisClient (client: unknown): client is RedisClient {
  if (typeof client !== 'object' || client === null || !('duplicate' in client)) return false
  // A cluster of node-redis is another thing.
  return 'callBuffer' in client || ('withTypeMapping' in client && !('masters' in client))
}

export function linkTo (client: RedisClient, timeout: number, events: LinkEvents): Link {
  if (!('callBuffer' in client)) return nodeLink(client, timeout, events)
  if (isCluster(client)) return clusterLink(client, timeout, (master, events) => ioLink(master, timeout, events, SHARDED), events)
  return ioLink(client, timeout, events)
}

/** What the application puts in front of its keys. */
export function prefixOf (client: RedisClient): string {
  return 'callBuffer' in client ? String(client.options.keyPrefix ?? '') : ''
}

function isCluster (client: RedisCluster | IoRedis): client is RedisCluster {
  return 'isCluster' in client && client.isCluster
}
