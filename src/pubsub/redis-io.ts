// A link by ioredis or iovalkey: to a Redis, or to one master of a cluster.

import type { Duplex } from 'node:stream'
import { answered, delayOf } from './redis-limit'
import type { Argument, Link, LinkEvents } from './redis-link'

export interface IoRedis {
  on: (event: string, listener: (...args: never[]) => void) => unknown
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

/** Ordinary pub/sub, or what a master of a cluster has; there who looks up the masters connects again. */
interface Kind {
  publishing: Link['publishing']
  subscribe: 'subscribe' | 'ssubscribe'
  unsubscribe: 'unsubscribe' | 'sunsubscribe'
  event: string
  retry: (attempt: number) => number | null
}

const WHOLE: Kind = { publishing: 'PUBLISH', subscribe: 'subscribe', unsubscribe: 'unsubscribe', event: 'messageBuffer', retry: delayOf }
export const SHARDED: Kind = { publishing: 'SPUBLISH', subscribe: 'ssubscribe', unsubscribe: 'sunsubscribe', event: 'smessageBuffer', retry: () => null }

export function ioLink (client: IoRedis, timeout: number, { ready, lost, moved, message }: LinkEvents, { publishing, subscribe, unsubscribe, event, retry }: Kind = WHOLE): Link {
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
