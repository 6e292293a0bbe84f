// What the application's hooks set on the reply reaches the client with the 101, each Set-Cookie on a line of its own.
// Not what belongs to the connection (RFC 9110 section 7.6.1), to a body that a 101 has not, or to the handshake itself.

import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { FastifyReply } from 'fastify'

type ReplyHeaders = ReturnType<FastifyReply['getHeaders']>

const CONNECTION_HEADERS = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'])

/** Header lines as ws joins them. Throws what Node throws for a name or a value that must not be sent. */
export function headerLines (headers: ReplyHeaders): string[] {
  const lines: string[] = []
  for (const name of Object.keys(headers)) {
    if (!isForHandshake(name.toLowerCase())) continue
    for (const value of [headers[name]].flat()) lines.push(headerLine(name, String(value)))
  }
  return lines
}

function isForHandshake (name: string): boolean {
  return !CONNECTION_HEADERS.has(name) && !name.startsWith('content-') && !name.startsWith('sec-websocket-')
}

function headerLine (name: string, value: string): string {
  validateHeaderName(name)
  validateHeaderValue(name, value)
  return `${name}: ${value}`
}
