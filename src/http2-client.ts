// A websocket client over HTTP/2, of the client of ws, which speaks HTTP/1.1: a connection whose far side is one stream of a
// session. The request that is written to it goes out as an extended CONNECT (RFC 8441), the answer is read from it as one of
// HTTP/1.1, and what follows are the bytes of the stream.

import { createHash } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader, OutgoingHttpHeaders } from 'node:http2'
import { Duplex } from 'node:stream'

type Callback = (error?: Error | null) => void

// RFC 9113 section 8.2.2, and what has become :authority.
const NOT_SENT = new Set(['connection', 'host', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])
// RFC 8441 has no key, so the answer to it is given here. One that is none goes to the server, which has to say so.
const KEY = /^[\w+/]{22}==$/

// RFC 6455 section 1.3.
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export class Http2Connection extends Duplex {
  readonly #session: ClientHttp2Session
  readonly #isOpen: Promise<boolean>
  #head = ''
  #stream: ClientHttp2Stream | undefined
  #accept = ''

  /** Of a session that serves nobody else: it ends with the connection. */
  constructor (session: ClientHttp2Session) {
    super({ allowHalfOpen: true })
    this.#session = session
    this.#isOpen = new Promise(resolve => {
      session.once('remoteSettings', ({ enableConnectProtocol }) => { resolve(enableConnectProtocol === true) })
    })
    session.on('error', error => { this.destroy(error) })
    session.once('close', () => { if (this.#stream === undefined) this.destroy() })
  }

  override _write (chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    if (this.#stream !== undefined) {
      this.#stream.write(chunk, callback)
      return
    }
    this.#head += chunk.toString('latin1')
    const length = this.#head.indexOf('\r\n\r\n')
    if (length < 0) return callback()
    this.#isOpen.then(isOpen => {
      if (this.destroyed) return callback()
      if (!isOpen) return callback(new Error('the server takes no websockets over HTTP/2'))
      this.#stream = this.#connect(this.#head.slice(0, length))
      const rest = this.#head.slice(length + 4)
      if (rest === '') callback()
      else this.#stream.write(Buffer.from(rest, 'latin1'), callback)
    }, callback)
  }

  override _final (callback: Callback): void {
    // What it waits for may be the end of the client itself.
    this.#stream?.end()
    callback()
  }

  override _read (): void {
    this.#stream?.resume()
  }

  override _destroy (error: Error | null, callback: Callback): void {
    this.#stream?.close(constants.NGHTTP2_CANCEL)
    this.#session.close()
    if (this.#stream === undefined) this.#session.destroy()
    callback(error)
  }

  #connect (head: string): ClientHttp2Stream {
    const [requestLine = '', ...lines] = head.split('\r\n')
    const headers: OutgoingHttpHeaders = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': requestLine.split(' ')[1] }
    for (const line of lines) {
      const colon = line.indexOf(':')
      const name = line.slice(0, colon).toLowerCase()
      const value = line.slice(colon + 1).trim()
      if (name === 'host') headers[':authority'] = value
      const isKey = name === 'sec-websocket-key' && KEY.test(value)
      if (isKey) this.#accept = createHash('sha1').update(value + GUID).digest('base64')
      if (!isKey && !NOT_SENT.has(name)) headers[name] = name in headers ? [headers[name], value].flat().map(String) : value
    }
    const stream = this.#session.request(headers, { endStream: false })
    stream.once('response', headers => { this.#onResponse(stream, headers) })
    stream.on('data', chunk => { this.#receive(stream, chunk) })
    stream.once('end', () => {
      this.push(null)
      // The server wants nothing more (RFC 9113 section 8.1). Node goes on waiting for what is not written yet.
      if (stream.closed) stream.destroy()
    })
    stream.on('error', error => { this.destroy(error) })
    stream.once('close', () => { this.#onStreamClosed(stream) })
    return stream
  }

  #onResponse (stream: ClientHttp2Stream, { ':status': status = 0, ...headers }: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    const lines = status === 200
      ? ['HTTP/1.1 101 Switching Protocols', 'connection: Upgrade', 'upgrade: websocket', `sec-websocket-accept: ${this.#accept}`]
      : [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, 'connection: close']
    for (const [name, value] of Object.entries(headers)) {
      for (const single of [value].flat()) lines.push(`${name}: ${single}`)
    }
    this.#receive(stream, Buffer.from(lines.join('\r\n') + '\r\n\r\n', 'latin1'))
  }

  #receive (stream: ClientHttp2Stream, chunk: Buffer): void {
    if (!this.push(chunk)) stream.pause()
  }

  // One that was not cut is read to its end by now.
  #onStreamClosed (stream: ClientHttp2Stream): void {
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) this.destroy()
    this.#session.close()
  }
}
