// A client without manners: bytes out, bytes in. It shows what is on the wire and sends what no library would.
// Reads come one after the other. Each has a time limit and says what had arrived when it fails, so nothing hangs;
// what a read did not use, or all of it where it failed, stays for the next one. Nothing is closed for the caller,
// not even after the server's FIN: leaving is `fin()`, `reset()` or `destroy()`.
import * as net from 'node:net'
import * as tls from 'node:tls'
import { ByteReader } from './byte-reader'
import { certificate } from './certificate'
import { type Frame, parseFrame } from './frames'
import { LIMIT, within } from './limit'
import { type Headers, requestHead, upgradeHead } from './requests'
import { type RawResponse, readResponse } from './responses'

export { closeFrame, fragmented, frame, OPCODES } from './frames'
export { type Headers, requestHead, upgradeHead } from './requests'
export type { RawResponse } from './responses'

export interface Target {
  port: number;
  secure?: boolean;
  host?: string;
}

/** A connected client. `target` is a port or anything that has one, such as what `start()` returns. */
export async function connectRaw (target: number | Target, options: { tls?: boolean, host?: string } = {}): Promise<RawClient> {
  const { port, secure = false, host = '127.0.0.1' } = typeof target === 'number' ? { port: target } : target
  const tcpSocket = net.connect({ port, host: options.host ?? host, allowHalfOpen: true })
  if (!(options.tls ?? secure)) return await ready(new RawClient(tcpSocket, tcpSocket), 'connect')

  const tlsSocket = tls.connect({ socket: tcpSocket, ca: certificate.cert, servername: 'localhost', ALPNProtocols: ['http/1.1'] })
  return await ready(new RawClient(tlsSocket, tcpSocket), 'secureConnect')
}

export class RawClient {
  /** Settles when the connection is gone, with the error if it had one. Never rejects. */
  readonly closed: Promise<Error | undefined>
  readonly socket: net.Socket
  readonly #tcpSocket: net.Socket
  readonly #reader = new ByteReader()

  constructor (socket: net.Socket, tcpSocket: net.Socket) {
    this.socket = socket
    this.#tcpSocket = tcpSocket
    this.closed = new Promise(resolve => socket.once('close', () => resolve(this.#reader.error)))
    socket.on('data', bytes => this.#reader.receive(bytes))
    socket.on('error', error => { this.#reader.error = error })
    tcpSocket.on('error', error => { this.#reader.error = error })
    socket.once('end', () => this.#reader.end())
    socket.once('close', () => this.#reader.end())
  }

  /** What has arrived and was not read yet. */
  get leftover (): Buffer {
    return this.#reader.leftover
  }

  /** True once the server has said that nothing more will come, or the connection is gone. */
  get ended (): boolean {
    return this.#reader.ended
  }

  write (bytes: string | Uint8Array): this {
    this.socket.write(bytes)
    return this
  }

  request (method: string, path: string, headers?: Headers, body: string | Uint8Array = ''): this {
    return this.write(Buffer.concat([Buffer.from(requestHead(method, path, headers), 'latin1'), Buffer.from(body)]))
  }

  upgrade (path: string, headers?: Headers): this {
    return this.write(Buffer.from(upgradeHead(path, headers), 'latin1'))
  }

  /** One response. After a 101 what follows are frames; `head: true` for the answer to a HEAD request. */
  async readResponse (options: { head?: boolean, limit?: number } = {}): Promise<RawResponse> {
    const { head = false, limit = LIMIT } = options
    return await this.#reader.turn(limit, () => readResponse(this.#reader, head))
  }

  async readFrame (limit = LIMIT): Promise<Frame> {
    return await this.#reader.turn(limit, () => this.#reader.read('a frame', parseFrame))
  }

  async readBytes (count: number, limit = LIMIT): Promise<Buffer> {
    return await this.#reader.turn(limit, () => this.#reader.take(count))
  }

  /** Everything until the server ends or cuts the connection. */
  async readUntilClose (limit = LIMIT): Promise<Buffer> {
    return await this.#reader.turn(limit, () => this.#reader.rest())
  }

  /** Stops reading, so that TCP holds the server back. */
  pause (): this {
    this.socket.pause()
    return this
  }

  resume (): this {
    this.socket.resume()
    return this
  }

  /** Says that nothing more will be sent (FIN), and goes on reading. */
  fin (): this {
    this.socket.end()
    return this
  }

  /** Cuts the connection with a RST. */
  reset (): this {
    this.#tcpSocket.resetAndDestroy()
    this.socket.destroy()
    return this
  }

  destroy (): this {
    this.socket.destroy()
    this.#tcpSocket.destroy()
    return this
  }
}

async function ready (client: RawClient, event: 'connect' | 'secureConnect'): Promise<RawClient> {
  const connected = new Promise<void>((resolve, reject) => {
    client.socket.once(event, resolve)
    client.closed.then(error => reject(error ?? new Error('closed before it was connected')), reject)
  })
  await within(connected, 'connecting').catch(error => { client.destroy(); throw error })
  return client
}
