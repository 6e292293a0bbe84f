// Requests as bytes: the path and the headers are sent as they are, however wrong.
import { randomBytes } from 'node:crypto'

/** Extra or changed request headers, names in any case; `undefined` leaves one out, an array repeats it. */
export type Headers = Record<string, string | string[] | undefined>

/** The head of a request, as bytes to write. */
export function requestHead (method: string, path: string, headers: Headers = {}): string {
  const lines = Object.entries(merge({ Host: 'localhost' }, headers))
    .flatMap(([name, value]) => value === undefined ? [] : [value].flat().map(each => `${name}: ${each}\r\n`))
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** The head of a correct websocket upgrade, less or more what `headers` says. */
export function upgradeHead (path: string, headers: Headers = {}): string {
  return requestHead('GET', path, merge({
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64')
  }, headers))
}

function merge (defaults: Headers, headers: Headers): Headers {
  const given = new Set(Object.keys(headers).map(name => name.toLowerCase()))
  const kept = Object.entries(defaults).filter(([name]) => !given.has(name.toLowerCase()))
  return { ...Object.fromEntries(kept), ...headers }
}
