// The request and the response of an upgrade over HTTP/2: those of Node's compatibility layer, as Fastify's router gets them
// for any request over HTTP/2. The request reads as the GET that asks for a websocket over HTTP/1.1, so what is behind the
// router need not know which way it came in.

import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2'

type Listener = (...args: unknown[]) => void

// What the compatibility layer listens for on a stream, beside 'error', by which a reset does not end the process.
const EVENTS = ['trailers', 'end', 'aborted', 'close', 'drain', 'wantTrailers']
const compatListeners: Array<[event: string, listener: Listener]> = []

/** The rest of the house uses nothing of a request that this one has not. */
export function asUpgradeRequest (request: Http2ServerRequest): IncomingMessage {
  const { headers, stream }: Http2ServerRequest = request
  if (compatListeners.length === 0) learnListeners(stream)
  Reflect.set(request, 'method', 'GET')
  headers.host ??= headers[':authority']
  headers.connection = 'Upgrade'
  headers.upgrade = 'websocket'
  headers['sec-websocket-key'] ??= randomBytes(16).toString('base64')
  Object.defineProperty(request, 'socket', { get: socketOf, configurable: true })
  return request as unknown as IncomingMessage
}

// They are the same functions on every stream, and on one that has just come there are no others.
function learnListeners (stream: ServerHttp2Stream): void {
  for (const event of EVENTS) {
    for (const listener of stream.listeners(event)) compatListeners.push([event, listener as Listener])
  }
}

const sockets = new WeakMap<ServerHttp2Stream, ServerHttp2Stream>()

// What it is read from and written to is the stream; of the connection below it has the rest, as addresses. Node's own
// request.socket is that of the session, which nobody may read or write.
function socketOf (this: Http2ServerRequest): ServerHttp2Stream {
  const { stream }: Http2ServerRequest = this
  const socket = sockets.get(stream) ?? new Proxy(stream, { get: getOfSocket })
  sockets.set(stream, socket)
  return socket
}

// They mean the connection, which is not one stream's to change.
const IGNORED: Array<string | symbol> = ['setNoDelay', 'setKeepAlive', 'ref', 'unref']

function getOfSocket (stream: ServerHttp2Stream, name: string | symbol, socket: unknown): unknown {
  if (IGNORED.includes(name)) return () => socket
  const owner = name in stream ? stream : stream.session?.socket ?? stream
  const value: unknown = Reflect.get(owner, name)
  return typeof value === 'function' ? value.bind(owner) : value
}

export function asResponse (response: Http2ServerResponse): ServerResponse {
  return response as unknown as ServerResponse
}

/** It is whole: what a hook that was under way still writes is dropped, where Node would reset the stream. */
export function sealResponse (response: ServerResponse): void {
  Object.assign(response, { write: () => false, end: () => response, writeHead: () => response })
}

/** The response hears no more of the stream. It would take the end of that for its own, after hours. */
export function detachResponse (stream: ServerHttp2Stream): void {
  detach(stream, ['response'])
}

/** Nothing of the HTTP exchange holds on to the stream any more. */
export function detachExchange (stream: ServerHttp2Stream): void {
  for (const [event, listener] of compatListeners) stream.off(event, listener)
  stream.removeAllListeners('timeout')
  detach(stream, ['request', 'response'])
}

/**
 * Node has no public way to part them. All supported versions keep request and response under symbols of these names, and
 * let go of them like this when a stream closes.
 */
function detach (stream: ServerHttp2Stream, names: string[]): void {
  for (const key of Object.getOwnPropertySymbols(stream)) {
    if (names.includes(String(key.description))) Reflect.set(stream, key, undefined)
  }
}
