// Upgrades that are not ours: a request that offers another protocol (h2c, by Java's HttpClient and curl --http2 on every
// request) is the plain request it would be without the offer, as RFC 9110 section 7.8 allows.
// The request is put back on its connection without the offer and parsed again. Where Node has begun to parse the body of
// an upgrade this is too late, so there Node is told beforehand that such a request is none.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

// The Node that parses the body of an upgrade; older ones leave it on the connection.
const PARSES_BODIES = 26

type AskingServer = Server & { shouldUpgradeCallback?: (rawRequest: IncomingMessage) => boolean }

/**
 * True when the request offers the websocket protocol, alone or among others (RFC 6455 section 4.2.1), and is one that may:
 * not HTTP/1.0 (RFC 9110 section 7.8). A missing Host is no reason, as it is none for @fastify/websocket, whose own tests ask
 * for a websocket without one.
 */
export function isWebsocketUpgrade ({ httpVersion, headers: { upgrade } }: IncomingMessage): boolean {
  if (upgrade === undefined || httpVersion === '1.0') return false
  const offer = upgrade.toLowerCase()
  return offer === 'websocket' || offer.split(',').some(protocol => protocol.trim() === 'websocket')
}

/**
 * Says no to foreign upgrades with a body, where Node parses that body and nobody else listens. Returns the undo.
 * Only to these, because Node drops what is pipelined behind a declined upgrade in the same packet.
 * Node documents the callback as an option of http.createServer, and reads it from this property on each request.
 */
export function declineForeignBodies (httpServer: Server, isAlone: () => boolean, nodeVersion = process.versions.node): () => void {
  const server: AskingServer = httpServer
  const original = server.shouldUpgradeCallback
  if (original === undefined || parseInt(nodeVersion) < PARSES_BODIES) return () => {}
  let isOver = false
  server.shouldUpgradeCallback = shouldUpgrade
  return restore

  function shouldUpgrade (this: unknown, rawRequest: IncomingMessage): boolean {
    return Reflect.apply(original as typeof shouldUpgrade, this, [rawRequest]) && (isOver || isWebsocketUpgrade(rawRequest) || !hasBody(rawRequest) || !isAlone())
  }

  // Somebody may have put a callback of his own in front meanwhile.
  function restore (): void {
    isOver = true
    if (server.shouldUpgradeCallback === shouldUpgrade) server.shouldUpgradeCallback = original
  }
}

/** True when the request announces a body (RFC 9112 section 6.3). */
export function hasBody ({ headers }: IncomingMessage): boolean {
  return 'transfer-encoding' in headers || Number(headers['content-length'] ?? 0) !== 0
}

/** False where the parser has begun to read the body of the upgrade: it cannot be put back. */
export function canServePlain (rawRequest: IncomingMessage): boolean {
  return rawRequest.complete && rawRequest.readableLength === 0
}

/** Gives the connection back to Node's parser, the request without its offer first. */
export function servePlain (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
  const server = serverOf(rawSocket)
  // An earlier response on the connection may have left the limit of an idle connection behind. A Duplex has none.
  rawSocket.setTimeout?.(0)
  // Node counts the requests of a connection from 0 again.
  const isLast = Number(server.maxRequestsPerSocket) > 0
  rawSocket.unshift(Buffer.concat([Buffer.from(headWithoutOffer(rawRequest, isLast), 'latin1'), head]))
  server.emit(server instanceof TlsServer ? 'secureConnection' : 'connection', rawSocket)
}

/**
 * The server whose connection this is. On localhost Fastify has several, and passes their upgrades on to one; that one
 * cannot serve their connections (HTTP/2). Node sets this property on each connection it parses, but documents it nowhere.
 */
function serverOf (rawSocket: Socket): Server {
  return (rawSocket as Socket & { server: Server }).server
}

function headWithoutOffer ({ method, url, httpVersion, rawHeaders }: IncomingMessage, isLast: boolean): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = String(rawHeaders[i])
    const value = withoutOffer(name.toLowerCase(), String(rawHeaders[i + 1]))
    if (value !== undefined) lines.push(`${name}: ${value}`)
  }
  if (isLast) lines.push('connection: close')
  return lines.join('\r\n') + '\r\n\r\n'
}

const OFFER = ['upgrade', 'http2-settings']

function withoutOffer (name: string, value: string): string | undefined {
  if (OFFER.includes(name)) return
  if (name !== 'connection') return value
  return value.split(',').filter(token => !OFFER.includes(token.trim().toLowerCase())).join(',').trim()
}

/** Answers it as an upgrade that is refused, by whatever the application says to the plain request. The connection ends. */
export function answerPlain (httpServer: Server, rawRequest: IncomingMessage, rawResponse: ServerResponse): void {
  if (rawRequest.headers.expect?.toLowerCase() === '100-continue') rawResponse.writeContinue()
  httpServer.emit('request', rawRequest, rawResponse)
}
