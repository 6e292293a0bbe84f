// A connection that is only memory: two ends, each what a net.Socket is to Node's HTTP and to ws.
// As on a network, what is written arrives in a later turn, a full reader holds its writer back, and an end that is
// destroyed is the end of the stream for the other.

import { Duplex } from 'node:stream'
import { clearTimeout, setImmediate, setTimeout } from './clock'

type Callback = (error?: Error | null) => void

export class WireEnd extends Duplex {
  remoteAddress = '127.0.0.1'
  remoteFamily = 'IPv4'
  remotePort = 0
  encrypted = false
  #peer: WireEnd = this
  #onPeerRead: Callback | undefined
  #isOver = false
  #flushed = 0
  #idle: NodeJS.Timeout | undefined

  static pair (): [WireEnd, WireEnd] {
    const near = new WireEnd()
    const far = new WireEnd()
    near.#peer = far
    far.#peer = near
    return [near, far]
  }

  override _read (): void {
    const onRead = this.#onPeerRead
    this.#onPeerRead = undefined
    onRead?.()
  }

  /** As net.Socket has it: what was written, sent or waiting. */
  get bytesWritten (): number {
    return this.#flushed + this.writableLength
  }

  override _write (chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#idle?.refresh()
    setImmediate(() => { this.#peer.#receive(chunk, onReceived) })

    const onReceived: Callback = error => {
      this.#flushed += chunk.length
      callback(error)
    }
  }

  override _final (callback: Callback): void {
    setImmediate(() => {
      this.#peer.#receiveEnd()
      callback()
    })
  }

  override _destroy (error: Error | null, callback: Callback): void {
    clearTimeout(this.#idle)
    this._read()
    setImmediate(() => { this.#peer.#receiveEnd() })
    callback(error)
  }

  #receive (chunk: Buffer, callback: Callback): void {
    this.#idle?.refresh()
    if (this.destroyed) callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    else if (this.push(chunk)) callback()
    else this.#onPeerRead = callback
  }

  #receiveEnd (): void {
    if (this.destroyed || this.#isOver) return
    this.#isOver = true
    this.push(null)
    // As in net.Socket: who does not read still hears of the end, when there is nothing left to read.
    this.read(0)
  }

  /** As net.Socket has it: 'timeout' after so many milliseconds without traffic; 0 ends it. */
  setTimeout (timeout: number, listener?: () => void): this {
    clearTimeout(this.#idle)
    this.#idle = timeout > 0 ? setTimeout(() => { this.emit('timeout') }, timeout).unref() : undefined
    if (listener !== undefined) this.once('timeout', listener)
    return this
  }

  setNoDelay (): this {
    return this
  }

  setKeepAlive (): this {
    return this
  }

  ref (): this {
    return this
  }

  unref (): this {
    return this
  }

  destroySoon (): void {
    if (this.writableFinished) this.destroy()
    else this.end(() => { this.destroy() })
  }
}
