// Upgrades that are not ours: a request that offers another protocol (h2c, by Java's HttpClient and curl --http2 on every
// request) is the plain request it would be without the offer, as RFC 9110 section 7.8 allows.
// The request is put back on its connection without the offer and parsed again. Where Node has begun to parse the body of
// an upgrade this is too late, so there Node is told beforehand that such a request is none.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

// The Node that parses the body of an upgrade; older ones leave it on the connection.
const PARSES_BODIES = 26

type AskingServer = Server & { shouldUpgradeCallback?: (rawRequest: IncomingMessage) => boolean }

/** True when the request offers the websocket protocol (RFC 6455 section 4.2.1), alone or among others. */
export function isWebsocketUpgrade (rawRequest: IncomingMessage): boolean {
  const { upgrade } = rawRequest.headers
  if (upgrade === undefined) return false
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
  server.shouldUpgradeCallback = function shouldUpgrade (rawRequest) {
    return original.call(server, rawRequest) && (isWebsocketUpgrade(rawRequest) || !hasBody(rawRequest) || !isAlone())
  }
  return () => { server.shouldUpgradeCallback = original }
}

function hasBody ({ headers }: IncomingMessage): boolean {
  return 'content-length' in headers || 'transfer-encoding' in headers
}

/** False where the parser has begun to read the body of the upgrade: it cannot be put back. */
export function canServePlain (rawRequest: IncomingMessage): boolean {
  return rawRequest.complete && rawRequest.readableLength === 0
}

/** Gives the connection back to Node's parser, the request without its offer first. */
export function servePlain (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
  // An earlier response on the connection may have left the limit of an idle connection behind.
  rawSocket.setTimeout(0)
  rawSocket.unshift(Buffer.concat([Buffer.from(headWithoutOffer(rawRequest), 'latin1'), head]))
  serverOf(rawSocket).emit(rawSocket instanceof TLSSocket ? 'secureConnection' : 'connection', rawSocket)
}

/**
 * The server whose connection this is. On localhost Fastify has several, and passes their upgrades on to one; that one
 * cannot serve their connections (HTTP/2). Node sets this property on each connection it parses, but documents it nowhere.
 */
function serverOf (rawSocket: Socket): Server {
  return (rawSocket as Socket & { server: Server }).server
}

function headWithoutOffer ({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = String(rawHeaders[i])
    const value = withoutOffer(name.toLowerCase(), String(rawHeaders[i + 1]))
    if (value !== undefined) lines.push(`${name}: ${value}`)
  }
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
