// A Redis Cluster as one link: a link to each master, and each channel at the master that has its slot, where it is sharded pub/sub
// (Redis 7). A stream has the name of its channel, so both are in one slot. Where a master is lost, or a slot moves to another one,
// all is looked up and connected anew: what came meanwhile is nobody's, and the engine tells so.

import { clearTimeout, setTimeout } from '../clock'
import type { IoRedis } from './redis-io'
import type { Argument, Link, LinkEvents } from './redis-link'

export interface RedisCluster {
  isCluster: boolean
  callBuffer: unknown
  options: { keyPrefix?: string | Buffer | undefined }
  /** Of each slot the addresses of its nodes, the master first. */
  slots: string[][]
  nodes: (role: 'master') => IoRedis[]
  duplicate: (startupNodes: never[], options: object) => RedisCluster
  connect: () => Promise<void>
  disconnect: () => void
  on: (event: string, listener: (...args: never[]) => void) => unknown
}

/** Makes the link to one master. */
type Connect = (master: IoRedis, events: LinkEvents) => Link

interface Generation {
  cluster: RedisCluster
  links: Map<string, Link>
  ready: Set<Link>
}

const SLOTS = 16_384
const CRC_POLYNOMIAL = 0x1021
// Milliseconds between two attempts.
const RETRY = 500

export function clusterLink (client: RedisCluster, timeout: number, connect: Connect, { ready, lost, message }: LinkEvents): Link {
  // What comes of a generation that has ended is of no interest.
  let current: Generation | undefined
  let timer: NodeJS.Timeout | undefined

  return {
    publishing: 'SPUBLISH',
    open: begin,
    async subscribe (channels) { await Promise.all(channels.map(async channel => { await linkOf(channel).subscribe([channel]) })) },
    async unsubscribe (channel) { await linkOf(channel).unsubscribe(channel) },
    async command (args) {
      if (args[0] === 'PING') return await Promise.all(linksOf(current).map(checkWhole))
      const generation = current
      return await linkOf(keyOf(args)).command(args).catch(error => {
        if (error.message.startsWith('MOVED ')) fail(generation as Generation, error)
        throw error
      })
    },
    async ping () { await Promise.all(linksOf(current).map(async link => { await link.ping() })) },
    close () {
      clearTimeout(timer)
      end()
    }
  }

  function begin (): void {
    const cluster = client.duplicate([], {
      lazyConnect: true,
      enableOfflineQueue: false,
      // Where it fails, connect() would never settle.
      enableReadyCheck: false,
      shardedSubscribers: false,
      keyPrefix: '',
      scaleReads: 'master',
      clusterRetryStrategy: () => null,
      slotsRefreshTimeout: timeout
    })
    const generation = { cluster, links: new Map<string, Link>(), ready: new Set<Link>() }
    current = generation
    let last: Error | undefined
    cluster.on('error', (error: Error) => { last = error })
    cluster.connect().then(() => { connectAll(generation) }, error => { fail(generation, reasonOf(last ?? error)) })
  }

  function connectAll (generation: Generation): void {
    if (generation !== current) return
    const { cluster, links } = generation
    for (const master of cluster.nodes('master')) {
      const link = connect(master, {
        ready: () => { onReady(generation, link) },
        lost: error => { fail(generation, error) },
        moved: () => { fail(generation, new Error('a slot of the cluster has moved')) },
        message
      })
      links.set(addressOf(master), link)
    }
    // The links are made after its connections, and need no more of it than where the slots are.
    cluster.disconnect()
    for (const link of links.values()) link.open()
  }

  function onReady (generation: Generation, link: Link): void {
    generation.ready.add(link)
    if (generation.ready.size === generation.links.size) ready()
  }

  function fail (generation: Generation, error: Error | undefined): void {
    if (generation !== current) return
    end()
    lost(error)
    timer = setTimeout(begin, RETRY).unref()
  }

  function end (): void {
    const ended = current
    current = undefined
    ended?.cluster.disconnect()
    for (const link of linksOf(ended)) link.close()
  }

  function linkOf (name: string): Link {
    const link = current?.links.get(String(current.cluster.slots[slotOf(name)]?.[0]))
    if (link === undefined) throw new Error(`no master has the slot of ${name}`)
    return link
  }
}

function linksOf (generation: Generation | undefined): Link[] {
  return [...generation?.links.values() ?? []]
}

function keyOf ([name, ...rest]: Argument[]): string {
  return String(name === 'EVAL' ? rest[2] : rest[0])
}

function addressOf ({ options: { host, port } }: IoRedis): string {
  return `${host}:${port}`
}

// A master that answers may be one that has lost the others.
async function checkWhole (link: Link): Promise<void> {
  const info = String(await link.command(['CLUSTER', 'INFO']))
  if (!info.includes('cluster_state:ok')) throw new Error('CLUSTERDOWN the cluster is not whole')
}

// ioredis says only that all have failed, and keeps the reason.
function reasonOf (error: Error & { lastNodeError?: Error }): Error {
  return error.lastNodeError ?? error
}

/** The slot of a key or channel, by what is in its first braces where there is something. */
export function slotOf (name: string): number {
  const open = name.indexOf('{')
  const close = open < 0 ? -1 : name.indexOf('}', open + 1)
  const tag = close > open + 1 ? name.slice(open + 1, close) : name
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ CRC_POLYNOMIAL
    crc &= 0xffff
  }
  return crc % SLOTS
}
