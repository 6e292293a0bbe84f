// What the application's hooks set on the reply reaches the client with the 101, each Set-Cookie on a line of its own.
// Not what belongs to the connection (RFC 9110 section 7.6.1), to a body that a 101 has not, or to the handshake itself.

import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { FastifyReply } from 'fastify'
import { symbolOf } from './internals'

const CONNECTION_HEADERS = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

let key: symbol | undefined

/** Header lines as ws joins them. Throws what Node throws for a name or a value that must not be sent. */
export function headerLines (reply: FastifyReply): string[] {
  const lines: string[] = []
  if (!hasHeaders(reply)) return lines
  const headers = reply.getHeaders()
  for (const name of Object.keys(headers)) {
    if (!isForHandshake(name.toLowerCase())) continue
    for (const value of [headers[name]].flat()) lines.push(headerLine(name, String(value)))
  }
  return lines
}

// Fastify has no way to ask, and its list of none costs more than the rest of this file.
function hasHeaders (reply: FastifyReply): boolean {
  key ??= symbolOf(reply, 'fastify.reply.headers')
  const own: unknown = key && Reflect.get(reply, key)
  return own === undefined || Object.keys(own as object).length > 0 || reply.raw.getHeaderNames().length > 0
}

function isForHandshake (name: string): boolean {
  return !CONNECTION_HEADERS.has(name) && !name.startsWith('content-') && !name.startsWith('sec-websocket-')
}

function headerLine (name: string, value: string): string {
  validateHeaderName(name)
  validateHeaderValue(name, value)
  return `${name}: ${value}`
}
