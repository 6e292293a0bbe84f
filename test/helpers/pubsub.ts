// An application with pub/sub, and the two ends of a connection that its route made.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { once } from 'node:events'
import type { Test } from 'tap'
import websocket from '../../src'
import pubsub from '../../src/pubsub'
import type { RouteSocket } from '../../types'
import type { PubSubOptions } from '../../types/pubsub'
import { type Client, type DialOptions, type Running, start, type StartOptions } from './app'
import { within } from './limit'
import { connectBy, type Way } from './ways'

export interface Pair extends Client {
  /** The server's end. */
  served: RouteSocket
}

/** A route `/` that does nothing, unless `declare` says otherwise. */
export async function startPubSub (t: Test, options: StartOptions & { pubsub?: PubSubOptions } = {}, declare: (app: FastifyInstance) => unknown = () => {}): Promise<Running> {
  return await start(t, { ...options, websocket: false }, async app => {
    if (options.websocket !== false) await app.register(websocket, options.websocket ?? {})
    await app.register(pubsub, options.pubsub ?? {})
    app.get('/', { websocket: true }, () => {})
    await declare(app)
  })
}

export async function connectPair (t: Test, running: Running, options: DialOptions & { way?: Way, path?: string } = {}): Promise<Pair> {
  const { way = 'tcp', path = '/', ...rest } = options
  const connected = once(running.app.websocketServer, 'connection')
  const client = await connectBy(t, way, running, path, rest)
  const [served] = await within(connected, 'the connection') as [RouteSocket, unknown, FastifyRequest]
  return { ...client, served }
}
