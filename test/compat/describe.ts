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

/** Class, name and message, how it prints where that is something else, and what a deep comparison finds beside them. */
export function describeError (error: unknown): string {
  if (!(error instanceof Error)) return `thrown ${describe(error)}`
  const { code, name: _name, message: _message, ...fields }: Record<string, unknown> = { ...error }
  const text = `${kindOf(error)}${codeOf(code)}: ${normalize(error.message)}`
  const firstLines = [`${error.name}: ${error.message}`, `${error.name}${codeOf(code)}: ${error.message}`]
  const prints = [String(error), String(error.stack)].filter(print => !firstLines.some(line => print.startsWith(line)))
  const rest = Object.keys(fields).length === 0 ? [] : [describeFields(fields)]
  return [text, ...prints.map(print => `shown as ${describe(print.split('\n')[0])}`), ...rest].join(' ')
}

function kindOf (error: Error): string {
  const { name } = Object.getPrototypeOf(error).constructor
  const base = error instanceof TypeError && name !== 'TypeError' ? ' (TypeError)' : ''
  return `${name === error.name ? name : `${name} named ${error.name}`}${base}`
}

function codeOf (code: unknown): string {
  return code === undefined ? '' : ` [${String(code)}]`
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
  if (err !== undefined) parts.push(describeLoggedError(err))
  if (Object.keys(rest).length > 0) parts.push(describe(rest))
  return parts.join(' | ')
}

// As pino writes it: its type is the class, its stack begins with the name.
function describeLoggedError ({ type, code, message, stack }: NonNullable<LogLine['err']>): string {
  const isShownAsItIs = [type, `${type}${codeOf(code)}`].some(kind => String(stack).startsWith(`${kind}: ${message}`))
  const shown = isShownAsItIs ? '' : ` shown as ${describe(String(stack).split('\n')[0])}`
  return `err ${type}${codeOf(code)}: ${normalize(message)}${shown}`
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
