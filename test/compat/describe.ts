// What is observed, as text: the same text for the same thing on both sides, whatever its port, its date or its key.
import { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { WebSocket } from 'ws'
import type { LogLine } from '../helpers/app'
import type { RawResponse } from '../helpers/raw-client'

const labels = new WeakMap<object, string>()

/** From now on this object is shown as `<name>`: for instances of Fastify, and for what only its identity tells. */
export function label<T extends object> (subject: T, name: string): T {
  labels.set(subject, `<${name}>`)
  return subject
}

export function describe (value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(normalize(value))
  if (typeof value === 'symbol') return String(value)
  if (typeof value === 'function') return labels.get(value) ?? '<function>'
  if (typeof value !== 'object' || value === null) return String(value)
  return labels.get(value) ?? describeObject(value)
}

export function normalize (text: string): string {
  return text.replace(/(127\.0\.0\.1|localhost):\d+/g, '$1:<port>')
}

export function describeError (error: unknown): string {
  if (!(error instanceof Error)) return `thrown ${describe(error)}`
  const { name, code } = error as Error & { code?: unknown }
  const kind = error instanceof TypeError && name !== 'TypeError' ? `${name} (TypeError)` : name
  return `${kind}${code === undefined ? '' : ` [${String(code)}]`}: ${normalize(error.message)}`
}

function describeObject (value: object): string {
  if (value instanceof Error) return describeError(value)
  if (value instanceof WebSocket) return '<socket>'
  if (value instanceof IncomingMessage) return '<rawRequest>'
  if (Buffer.isBuffer(value)) return `<bytes ${JSON.stringify(value.toString())}>`
  if (value instanceof Readable) return '<stream>'
  if (value instanceof Set) return `{${[...value].map(describe).join(', ')}}`
  if (Array.isArray(value)) return `[${value.map(describe).join(', ')}]`
  if ('hijack' in value) return '<reply>'
  if ('routeOptions' in value) return '<request>'
  if ('listen' in value && 'register' in value) return '<instance>'
  return describeFields(value)
}

function describeFields (value: object): string {
  const fields = Object.entries(value).sort().map(([name, each]) => `${name}: ${describe(each)}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}

const LEVELS: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

interface KnownFields {
  req?: { method: string, url: string, host?: string };
  res?: { statusCode: number };
}

/** Level, message and what came with it, less the times and what names this process. */
export function describeLogLine (line: LogLine): string {
  const { level, msg, time, pid, hostname, responseTime, err, req, res, ...rest } = line as LogLine & KnownFields
  const parts = [`${LEVELS[level]}: ${normalize(String(msg))}`]
  if (req !== undefined) parts.push(`req ${req.method} ${req.url} ${normalize(String(req.host))}`)
  if (res !== undefined) parts.push(`res ${res.statusCode}`)
  if (err !== undefined) parts.push(`err ${err.type}${err.code === undefined ? '' : ` [${err.code}]`}: ${normalize(err.message)}`)
  if (Object.keys(rest).length > 0) parts.push(describe(rest))
  return parts.join(' | ')
}

/** Status line, header lines as they came, and the body. */
export function describeResponse ({ status, statusText, rawHeaders, body }: RawResponse): string[] {
  const headers = rawHeaders.map(([name, value]) => `${name.toLowerCase()}: ${normalizeHeader(name.toLowerCase(), value)}`)
  return [`${status} ${statusText}`, ...headers, ...(body === '' ? [] : [`body ${normalize(body)}`])]
}

function normalizeHeader (name: string, value: string): string {
  if (name === 'date') return '<date>'
  if (name === 'sec-websocket-accept') return '<accept>'
  return normalize(value)
}
