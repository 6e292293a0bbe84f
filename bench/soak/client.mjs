// The raw client of the soak: bytes out, bytes in. Whatever it waits for has a time limit.

import { randomBytes } from 'node:crypto'
import net from 'node:net'

/** Milliseconds that a server may take over one step; it is only reached where something hangs. */
export const LIMIT = 15_000

export class Client {
  static async connect (port) {
    const client = new Client(net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }))
    await client.until(() => client.socket.readyState === 'open', 'connected')
    return client
  }

  constructor (socket) {
    this.socket = socket
    this.chunks = []
    this.hasEnded = false
    this.news = () => {}
    socket.setNoDelay(true)
    socket.on('data', bytes => { this.chunks.push(bytes) })
    socket.on('end', () => { this.hasEnded = true })
    socket.on('close', () => { this.hasEnded = true })
    for (const event of ['connect', 'data', 'end', 'close']) socket.on(event, () => { this.news() })
    socket.on('error', () => {})
  }

  get received () {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)]
    return this.chunks[0] ?? Buffer.alloc(0)
  }

  get length () {
    return this.chunks.reduce((sum, { length }) => sum + length, 0)
  }

  write (...parts) {
    this.socket.write(Buffer.concat(parts.map(part => Buffer.from(part))))
    return this
  }

  /** Resolves when `check` says so, and rejects when the connection ends before or time is up. */
  async until (check, what) {
    const end = Date.now() + LIMIT
    while (!check()) {
      if (this.hasEnded) throw new Error(`the connection ended before it was ${what}`)
      if (Date.now() > end) throw new Error(`not ${what} within ${LIMIT} ms`)
      await this.wait(end - Date.now())
    }
  }

  async wait (limit) {
    let timer
    await new Promise(resolve => {
      this.news = resolve
      timer = setTimeout(resolve, limit)
    })
    clearTimeout(timer)
  }

  /** The status of the next response; its body, and what comes after it, is left to read unless it has a length. */
  async status () {
    await this.until(() => this.received.includes('\r\n\r\n'), 'answered')
    const length = this.received.indexOf('\r\n\r\n') + 4
    const head = this.received.toString('latin1', 0, length)
    const body = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    await this.until(() => this.length >= length + body, 'sent the whole response')
    this.chunks = [this.received.subarray(length + body)]
    return Number(head.slice(9, 12))
  }

  async expectStatus (...expected) {
    const status = await this.status()
    if (!expected.includes(status)) throw new Error(`status ${status} in place of ${expected.join(' or ')}`)
  }

  /** Waits until the bytes have come, in any of the server's frames. */
  async expectBytes (bytes) {
    await this.until(() => this.received.includes(bytes), `sent ${bytes}`)
  }

  /** The server has to end the connection, while the client has not. */
  async expectEnd () {
    const end = Date.now() + LIMIT
    while (!this.hasEnded && Date.now() < end) await this.wait(end - Date.now())
    if (!this.hasEnded) throw new Error(`not ended by the server within ${LIMIT} ms`)
  }

  async leave (way) {
    if (way === 'reset') this.socket.resetAndDestroy()
    else if (way === 'destroy') this.socket.destroy()
    else await this.finish()
  }

  // FIN, and then the server has to end its half too.
  async finish () {
    this.socket.end()
    this.socket.resume()
    await this.expectEnd()
    this.socket.destroy()
  }
}

export function request (method, path, headers = {}, body = '') {
  const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

export function upgrade (path) {
  return request('GET', path, {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': 13,
    'Sec-WebSocket-Key': randomBytes(16).toString('base64')
  })
}

/** A frame as bytes: `first` is its first byte (0x81 is a text, 0x82 binary, 0x88 close). A client has to mask. */
export function frame (first, payload, isMasked = true) {
  const body = Buffer.from(payload)
  const length = body.length < 126 ? Buffer.of(body.length) : Buffer.alloc(9, 127)
  if (body.length >= 126) length.writeBigUInt64BE(BigInt(body.length), 1)
  length[0] |= isMasked ? 0x80 : 0
  // A key of zeros masks nothing, and is one that a client may choose.
  return Buffer.concat([Buffer.of(first), length, Buffer.alloc(isMasked ? 4 : 0), body])
}
