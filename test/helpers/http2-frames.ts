// HTTP/2 as bytes (RFC 9113 section 4, RFC 7541 section 6.2.2): what Node's client would not send.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import type { Test } from 'tap'
import { ByteReader } from './byte-reader'
import { certificate } from './certificate'
import { LIMIT } from './limit'

export const FRAMES = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8 } as const

export interface Http2Frame {
  type: number;
  flags: number;
  id: number;
  payload: Buffer;
}

export const CONNECT: Array<[name: string, value: string]> = [
  [':method', 'CONNECT'], [':protocol', 'websocket'], [':scheme', 'http'], [':authority', 'localhost'], [':path', '/'], ['sec-websocket-version', '13']
]

export function http2Frame (type: keyof typeof FRAMES, id: number, payload: Uint8Array = Buffer.alloc(0), flags = 0): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(FRAMES[type], 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

/** The whole of a request's head. Names and values are below 127 bytes each. */
export function headersFrame (id: number, fields: Array<[name: string, value: string]> = CONNECT): Buffer {
  const block = fields.flatMap(([name, value]) => [0, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)])
  return http2Frame('headers', id, Buffer.from(block), 4)
}

/** As much as there can be, for the session and for each of its streams: SETTINGS_INITIAL_WINDOW_SIZE, and WINDOW_UPDATE. */
export function widestWindows (): Buffer {
  const most = 2 ** 31 - 1
  const setting = Buffer.alloc(6)
  setting.writeUInt16BE(4)
  setting.writeUInt32BE(most, 2)
  const increment = Buffer.alloc(4)
  increment.writeUInt32BE(most - 65_535)
  return Buffer.concat([http2Frame('settings', 0, setting), http2Frame('window', 0, increment)])
}

/** RST_STREAM. */
export function resetFrame (id: number, code = 8): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(code)
  return http2Frame('reset', id, payload)
}

export function parseHttp2Frame (bytes: Buffer): { value: Http2Frame, used: number } | undefined {
  if (bytes.length < 9) return
  const used = 9 + bytes.readUIntBE(0, 3)
  if (bytes.length < used) return
  return { value: { type: bytes.readUInt8(3), flags: bytes.readUInt8(4), id: bytes.readUInt32BE(5), payload: bytes.subarray(9, used) }, used }
}

/** A session without manners. It answers nothing, so its windows never open. */
export class RawSession {
  readonly socket: Socket
  readonly #reader = new ByteReader()

  constructor (socket: Socket) {
    this.socket = socket
    socket.on('data', bytes => { this.#reader.receive(bytes) })
    socket.on('error', error => { this.#reader.error = error })
    socket.on('close', () => { this.#reader.end() })
  }

  write (...frames: Buffer[]): this {
    this.socket.write(Buffer.concat(frames))
    return this
  }

  /** The next frame that `matches`; others before it are dropped. */
  async next (matches: (frame: Http2Frame) => boolean): Promise<Http2Frame> {
    while (true) {
      const frame = await this.#reader.turn(LIMIT, () => this.#reader.read('a frame of HTTP/2', parseHttp2Frame))
      if (matches(frame)) return frame
    }
  }
}

/** A raw session whose preface is sent; destroyed at the test's end. */
export async function openRawSession (t: Test, { port, isSecure = false }: { port: number, isSecure?: boolean }): Promise<RawSession> {
  const socket = isSecure ? connectSecure({ port, host: '127.0.0.1', ca: certificate.cert, ALPNProtocols: ['h2'] }) : connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  await once(socket, isSecure ? 'secureConnect' : 'connect')
  return new RawSession(socket).write(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), http2Frame('settings', 0))
}
