// What the checks open: an application on a free port, clients of ws, and clients that are bytes out and bytes in.
import { once } from 'node:events'
import * as net from 'node:net'
import Fastify from 'fastify'
import websocket from 'fastify-wss'
import { readMessages } from 'fastify-wss/testing'
import { WebSocket } from 'ws'
import { LIMIT, until, within } from './checks.mjs'

/** A listening application with the plugin. `fastify` and `listen` are options of Fastify, the rest is for the plugin. */
export async function serve (context, { fastify, listen, ...options }, declare) {
  const log = []
  const stream = { write: line => { log.push(JSON.parse(line)) } }
  const app = await inMemory(context, declare, options, { logger: { level: 'info', stream }, ...fastify })
  await app.listen(listen ?? { port: 0, host: '127.0.0.1' })
  const { port } = app.server.address()
  return {
    app,
    log,
    port,
    logged: text => until(() => log.find(line => line.msg.includes(text)), `the log line ${text}`),
    connect: (path, options) => connect(context, `ws://127.0.0.1:${port}${path}`, options),
    raw: () => connectRaw(context, port),
    get: path => fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })
  }
}

/** An application with the plugin that does not listen. */
export async function inMemory (context, declare, options = {}, fastify = {}) {
  const app = Fastify(fastify)
  context.end(() => app.close())
  await app.register(websocket, options)
  await declare(app)
  return app
}

/** A client of ws that is open, with an inbox that misses nothing. */
export async function connect (context, url, { protocols, ...options } = {}) {
  const socket = new WebSocket(url, protocols, options)
  const inbox = readMessages(socket, { timeout: LIMIT })
  context.end(() => socket.terminate())
  await within(new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
    socket.once('close', code => { reject(new Error(`closed with ${code} before it was open`)) })
  }), `connecting to ${url}`)
  return { socket, inbox }
}

async function connectRaw (context, port) {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const client = new RawClient(socket)
  context.end(() => socket.destroy())
  await within(once(socket, 'connect'), 'connecting')
  return client
}

class RawClient {
  #bytes = Buffer.alloc(0)
  #ended = false

  constructor (socket) {
    this.socket = socket
    socket.on('data', bytes => { this.#bytes = Buffer.concat([this.#bytes, bytes]) })
    socket.on('error', () => {})
    socket.on('end', () => { this.#ended = true })
    socket.on('close', () => { this.#ended = true })
  }

  write (bytes) {
    this.socket.write(bytes)
    return this
  }

  request (method, path, headers = {}, body = '') {
    return this.write(requestHead(method, path, headers) + body)
  }

  /** The upgrade and `early` frames in one packet. */
  upgrade (path, headers = {}, ...early) {
    const head = requestHead('GET', path, {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers
    })
    return this.write(Buffer.concat([Buffer.from(head), ...early]))
  }

  /** `{ status, headers, lines, body }`; the body has a content-length, or lasts to the end of the connection. */
  async response () {
    const [statusLine, ...lines] = (await this.#take(bytes => bytes.indexOf('\r\n\r\n'), 4)).toString().split('\r\n')
    const headers = Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
    const status = Number(statusLine.split(' ')[1])
    const length = headers['content-length']
    if (status === 101) return { status, headers, lines, body: '' }
    const body = length === undefined ? await this.rest() : await this.#take(bytes => bytes.length < length ? -1 : Number(length))
    return { status, headers, lines, body: body.toString() }
  }

  /** One unmasked frame: `{ opcode, payload }`. */
  async frame () {
    const [first, second] = await this.#take(bytes => bytes.length < 2 ? -1 : 2)
    const extended = { 126: 2, 127: 8 }[second] ?? 0
    const more = await this.#take(bytes => bytes.length < extended ? -1 : extended)
    const length = { 0: second, 2: () => more.readUInt16BE(), 8: () => Number(more.readBigUInt64BE()) }[extended]
    const size = typeof length === 'function' ? length() : length
    return { opcode: first & 0xf, payload: await this.#take(bytes => bytes.length < size ? -1 : size) }
  }

  /** Everything until the server ends the connection. */
  async rest () {
    return await this.#take(bytes => this.#ended ? bytes.length : -1)
  }

  async #take (find, skip = 0) {
    const length = await until(() => {
      const found = find(this.#bytes)
      if (found === -1 && this.#ended) throw new Error(`the connection ended after ${JSON.stringify(this.#bytes.toString('latin1', 0, 200))}`)
      return found === -1 ? undefined : { found }
    }, `more than ${JSON.stringify(this.#bytes.toString('latin1', 0, 200))}`)
    const taken = this.#bytes.subarray(0, length.found)
    this.#bytes = this.#bytes.subarray(length.found + skip)
    return taken
  }
}

function requestHead (method, path, { version = '1.1', ...headers }) {
  const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/${version}\r\n${lines.join('')}\r\n`
}

/** A client's frame (RFC 6455, section 5.2), with a mask of zeros: as good as any other on the wire. */
export function frame (opcode, payload, { masked = true, fin = true } = {}) {
  const body = Buffer.from(payload)
  const long = body.length > 125
  const head = Buffer.alloc(long ? 10 : 2)
  head[0] = (fin ? 0x80 : 0) | opcode
  head[1] = (masked ? 0x80 : 0) | (long ? 127 : body.length)
  if (long) head.writeBigUInt64BE(BigInt(body.length), 2)
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), body])
}

export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10
