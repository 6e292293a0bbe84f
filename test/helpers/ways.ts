// Every way in: the transports, and the in-memory client of injectWS.
import { once } from 'node:events'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { readMessages } from '../../src/extras/testing'
import { type Client, type DialOptions, type Running, type Transport, ALL_TRANSPORTS } from './app'
import { LIMIT, within } from './limit'

export const WAYS = [...ALL_TRANSPORTS, 'injectWS', 'injectWS over HTTP/2'] as const
export type Way = typeof WAYS[number]

/** What `start` is to listen over for this way in. */
export function transportOf (way: Way): Transport {
  if (way === 'injectWS over HTTP/2') return 'h2'
  return way === 'injectWS' ? 'tcp' : way
}

export function isInMemory (way: Way): way is 'injectWS' | 'injectWS over HTTP/2' {
  return way.startsWith('injectWS')
}

/** A client that is open. */
export async function connectBy (t: Test, way: Way, running: Running, path = '/', options: DialOptions = {}): Promise<Client> {
  if (!isInMemory(way)) return await running.connect(path, options)

  const socket = await within(running.app.injectWS(path, {}, { ...options, http2: way !== 'injectWS' }), `injectWS(${path})`)
  t.teardown(() => socket.terminate())
  return { socket, inbox: readMessages(socket, { timeout: LIMIT }) }
}

/** Settles when the server has read everything that the client has sent so far. */
export async function flushed (socket: WebSocket): Promise<void> {
  const answered = once(socket, 'pong')
  socket.ping()
  await within(answered, 'the pong')
}
