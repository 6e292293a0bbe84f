// A link by node-redis.

import { answered, delayOf } from './redis-limit'
import type { Argument, Link, LinkEvents } from './redis-link'

export interface NodeRedis {
  on: (event: string, listener: (...args: never[]) => void) => unknown
  isReady: boolean
  options?: { socket?: object | undefined } | undefined
  duplicate: (options: object) => NodeRedis
  connect: () => Promise<unknown>
  destroy: () => void
  subscribe: (channels: string | string[], listener: (message: Buffer, channel: Buffer) => void, bufferMode: true) => Promise<void>
  unsubscribe: (channels: string | string[], listener: (message: Buffer, channel: Buffer) => void, bufferMode: true) => Promise<void>
  withTypeMapping: (mapping: object) => { sendCommand: (args: Argument[]) => Promise<unknown> }
}

// A bulk string of the protocol of Redis.
const BLOB_STRING = 36

export function nodeLink (client: NodeRedis, timeout: number, { ready, lost, message }: LinkEvents): Link {
  const options = {
    disableOfflineQueue: true,
    socket: { ...client.options?.socket, connectTimeout: timeout, reconnectStrategy: delayOf }
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
