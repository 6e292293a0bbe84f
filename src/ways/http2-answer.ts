// The answer to an upgrade over HTTP/2. ws, and whoever answers in its place, writes one to a stream as the bytes of HTTP/1.1;
// on an Http2Stream that head becomes the stream's own, in which 200 stands for 101 (RFC 8441 section 5) and nothing belongs
// to a connection. Until it is whole the stream has methods of its own for it. Whatever else answers begins with respond().

import type { OutgoingHttpHeaders, ServerHttp2Stream, ServerStreamResponseOptions } from 'node:http2'

export interface AnswerOwner {
  /** The client sent a key, though RFC 8441 has none, and waits for its answer (undici). */
  readonly isKeyed: boolean
  /** Somebody writes to the stream without a response. */
  onWritten: () => void
  /** A response has begun. */
  onResponseBegun: () => void
}

type Callback = (error?: Error | null) => void
type Methods = Pick<ServerHttp2Stream, 'write' | 'end' | 'respond'>

// No head of an answer is longer.
const BOUND = 64 * 1024
// In place of a status that would open the websocket: to a CONNECT that is what any 2xx does (RFC 9110 section 9.3.6).
const REFUSED = 403
// RFC 9113 section 8.2.2.
const CONNECTION_FIELDS = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

export function translateAnswer (stream: ServerHttp2Stream, owner: AnswerOwner): void {
  const { write, end, respond }: Methods = stream
  let head = ''
  Object.assign(stream, { write: writeHead, end: endHead, respond: respondOnce })

  function writeHead (this: unknown, chunk: unknown, ...rest: unknown[]): boolean {
    owner.onWritten()
    head += chunk instanceof Uint8Array ? Buffer.from(chunk).toString('latin1') : String(chunk)
    const length = head.indexOf('\r\n\r\n') + 4
    const callback = rest.find((each): each is Callback => typeof each === 'function')
    if (length >= 4) return answer(length, callback)
    if (!head.startsWith('HTTP/1.1 '.slice(0, head.length)) || head.length > BOUND) stream.destroy()
    if (callback !== undefined) process.nextTick(callback)
    return true
  }

  function endHead (...args: unknown[]): ServerHttp2Stream {
    const [chunk] = args
    if (chunk != null && typeof chunk !== 'function') stream.write(chunk)
    // Nothing that could be sent as a response. Node ends a stream too: one that is closed, or has a response without a body.
    if (stream.write === writeHead && !stream.closed && !stream.headersSent) stream.destroy()
    return Reflect.apply(end, stream, args.filter(each => typeof each === 'function'))
  }

  function answer (length: number, callback: Callback = () => {}): boolean {
    const { status, headers } = parseHead(head.slice(0, length - 4), owner.isKeyed)
    // First, so that a header that must not be sent leaves everything as it was.
    respond.call(stream, { ...headers, ':status': status === 101 ? 200 : status })
    putBack()
    return stream.write(Buffer.from(head.slice(length), 'latin1'), callback)
  }

  function respondOnce (headers: OutgoingHttpHeaders = {}, options?: ServerStreamResponseOptions): void {
    respond.call(stream, isSuccess(headers) ? { ...headers, ':status': REFUSED } : headers, options)
    putBack()
    owner.onResponseBegun()
  }

  // By assignment: deleting properties would make the stream a slower and larger object.
  function putBack (): void {
    Object.assign(stream, { write, end, respond })
  }
}

function isSuccess ({ ':status': status = 200 }: OutgoingHttpHeaders): boolean {
  return Number(status) >= 200 && Number(status) < 300
}

function parseHead (head: string, isKeyed: boolean): { status: number, headers: OutgoingHttpHeaders } {
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers: Record<string, string | string[]> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim().toLowerCase()
    if (CONNECTION_FIELDS.has(name) || (name === 'sec-websocket-accept' && !isKeyed)) continue
    const value = line.slice(colon + 1).trim()
    const before = headers[name]
    headers[name] = before === undefined ? value : [before, value].flat()
  }
  return { status: Number(statusLine.split(' ')[1]), headers }
}
