// The clients of Redis that we know, by what they can do and not by their class: ioredis and iovalkey, and node-redis. Each gives
// two connections of ours, made after the application's client: one listens, the other does all else. Neither keeps what it cannot
// send, nor sends anything twice: what was published while Redis was away would come late, and what broke off might come twice. Of a cluster
// there are two connections to each master (redis-cluster.ts).

import type { Duplex } from 'node:stream'
import { clusterLink } from './redis-cluster'
import type { RedisCluster } from './redis-cluster'
import { answered } from './redis-limit'

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

interface Emitter {
  on: (event: string, listener: (...args: never[]) => void) => unknown
}

export interface IoRedis extends Emitter {
  status: string
  stream?: Duplex | null | undefined
  options: { keyPrefix?: string | Buffer | undefined, host?: string | undefined, port?: number | undefined }
  duplicate: (options: object) => IoRedis
  connect: () => Promise<void>
  disconnect: () => void
  subscribe: (...channels: string[]) => Promise<unknown>
  unsubscribe: (...channels: string[]) => Promise<unknown>
  ssubscribe: (...channels: string[]) => Promise<unknown>
  sunsubscribe: (...channels: string[]) => Promise<unknown>
  callBuffer: (command: string, ...args: Argument[]) => Promise<unknown>
}

export interface NodeRedis extends Emitter {
  isReady: boolean
  options?: { socket?: object | undefined } | undefined
  duplicate: (options: object) => NodeRedis
  connect: () => Promise<unknown>
  destroy: () => void
  subscribe: (channels: string | string[], listener: (message: Buffer, channel: Buffer) => void, bufferMode: true) => Promise<void>
  unsubscribe: (channels: string | string[], listener: (message: Buffer, channel: Buffer) => void, bufferMode: true) => Promise<void>
  withTypeMapping: (mapping: object) => { sendCommand: (args: Argument[]) => Promise<unknown> }
}

export type RedisClient = IoRedis | RedisCluster | NodeRedis

// Milliseconds between two attempts to connect.
const FIRST_RETRY = 50
const LONGEST_RETRY = 1000
// A bulk string of the protocol of Redis.
const BLOB_STRING = 36

/** Ordinary pub/sub, or what a master of a cluster has; there who looks up the masters connects again. */
interface Kind {
  publishing: Link['publishing']
  subscribe: 'subscribe' | 'ssubscribe'
  unsubscribe: 'unsubscribe' | 'sunsubscribe'
  event: string
  retry: (attempt: number) => number | null
}

const WHOLE: Kind = { publishing: 'PUBLISH', subscribe: 'subscribe', unsubscribe: 'unsubscribe', event: 'messageBuffer', retry: retryStrategy }
const SHARDED: Kind = { publishing: 'SPUBLISH', subscribe: 'ssubscribe', unsubscribe: 'sunsubscribe', event: 'smessageBuffer', retry: () => null }

export function isRedisClient (client: unknown): client is RedisClient {
  if (typeof client !== 'object' || client === null || !('duplicate' in client)) return false
  // A cluster of node-redis is another thing.
  return 'callBuffer' in client || ('withTypeMapping' in client && !('masters' in client))
}

export function linkTo (client: RedisClient, timeout: number, events: LinkEvents): Link {
  if (!('callBuffer' in client)) return nodeLink(client, timeout, events)
  if (!isCluster(client)) return ioLink(client, timeout, events)
  return clusterLink(client, timeout, (master, events) => ioLink(master, timeout, events, SHARDED), events)
}

/** What the application puts in front of its keys. */
export function prefixOf (client: RedisClient): string {
  return 'callBuffer' in client ? String(client.options.keyPrefix ?? '') : ''
}

function isCluster (client: RedisCluster | IoRedis): client is RedisCluster {
  return 'isCluster' in client && client.isCluster
}

function ioLink (client: IoRedis, timeout: number, { ready, lost, moved, message }: LinkEvents, { publishing, subscribe, unsubscribe, event, retry }: Kind = WHOLE): Link {
  const options = {
    lazyConnect: true,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    connectTimeout: timeout,
    socketTimeout: undefined as number | undefined,
    keyPrefix: '',
    protocol: 2,
    retryStrategy: retry
  }
  const listening = client.duplicate(options)
  const talking = client.duplicate({ ...options, socketTimeout: timeout })
  const both = [listening, talking]
  let isCorked = false

  return {
    publishing,
    open () {
      let last: Error | undefined
      for (const each of both) {
        each.on('error', (error: Error) => { last = error })
        each.on('close', () => { lost(last) })
        each.on('ready', () => {
          last = undefined
          if (both.every(({ status }) => status === 'ready')) ready()
        })
        each.connect().catch(() => {})
      }
      listening.on('moved', () => { moved?.() })
      listening.on(event, (channel: Buffer, bytes: Buffer) => { message(channel.toString(), bytes) })
    },
    async subscribe (channels) { await listening[subscribe](...channels) },
    async unsubscribe (channel) { await listening[unsubscribe](channel) },
    // A connection on which nothing comes is cut by ioredis: socketTimeout.
    async command ([name, ...args]) {
      cork()
      return await answered(talking.callBuffer(String(name), ...args), timeout, () => {})
    },
    // In capitals iovalkey does not know that this may be asked of who listens.
    async ping () { await listening.callBuffer('ping') },
    close () { for (const each of both) each.disconnect() }
  }

  // What is asked for in one tick goes out by one write: ioredis makes one for each command.
  function cork (): void {
    const { stream } = talking
    if (isCorked || stream == null) return
    isCorked = true
    stream.cork()
    process.nextTick(() => {
      isCorked = false
      stream.uncork()
    })
  }
}

function nodeLink (client: NodeRedis, timeout: number, { ready, lost, message }: LinkEvents): Link {
  const options = {
    disableOfflineQueue: true,
    socket: { ...client.options?.socket, connectTimeout: timeout, reconnectStrategy: retryStrategy }
  }
  const listening = client.duplicate(options)
  const talking = client.duplicate(options)
  const both = [listening, talking]
  const commands = talking.withTypeMapping({ [BLOB_STRING]: Buffer })
  const listener = (bytes: Buffer, channel: Buffer): void => { message(channel.toString(), bytes) }

  return {
    publishing: 'PUBLISH',
    open () {
      for (const each of both) {
        each.on('error', (error: Error) => { lost(error) })
        each.on('reconnecting', () => { lost(undefined) })
        each.on('ready', () => { if (both.every(({ isReady }) => isReady)) ready() })
        each.connect().catch(() => {})
      }
    },
    async subscribe (channels) { await listening.subscribe(channels, listener, true) },
    async unsubscribe (channel) { await listening.unsubscribe(channel, listener, true) },
    async command (args) { return await answered(commands.sendCommand(args), timeout, reconnect) },
    async ping () {},
    close () { for (const each of both) each.destroy() }
  }

  // Whatever else waits for an answer there is rejected by it, and is not sent when Redis goes on.
  function reconnect (error: Error): void {
    lost(error)
    talking.destroy()
    talking.connect().catch(() => {})
  }
}

function retryStrategy (attempt: number): number {
  return Math.min(FIRST_RETRY * (attempt + 1), LONGEST_RETRY)
}
