// What goes out in one tick goes out by one write, and is put together once for all sockets that get the same. The batches of a
// tick form a tree with an empty one at its root: each other one is a frame and the batch before it, and a socket has the last
// one that it gets.

import type { Duplex } from 'node:stream'

// Bytes up to which frames are copied into one. Past them a write costs more than its parts do.
const MOST_JOINED = 64 * 1024

export class Batch {
  /** Bytes of all its frames. */
  readonly size: number
  readonly #before: Batch | undefined
  readonly #frame: Buffer
  /** The one that was asked for last: most sockets get the same. */
  #latest: Batch | undefined
  #next: Map<Buffer, Batch> | undefined
  #joined: Buffer | undefined

  private constructor (frame: Buffer, before?: Batch) {
    this.#frame = frame
    this.#before = before
    this.size = frame.length + (before?.size ?? 0)
    if (this.size === frame.length) this.#joined = frame
  }

  /** The root of a tick. */
  static empty (): Batch {
    return new Batch(Buffer.alloc(0))
  }

  /** With one frame more: the same batch for all who ask with that frame. */
  with (frame: Buffer): Batch {
    if (this.#latest === undefined || this.#latest.#frame !== frame) this.#latest = this.#find(frame)
    return this.#latest
  }

  writeTo (stream: Duplex): void {
    if (this.#joined === undefined && this.size > MOST_JOINED) {
      stream.cork()
      for (const frame of this.#frames()) stream.write(frame)
      stream.uncork()
    } else {
      this.#joined ??= Buffer.concat(this.#frames(), this.size)
      stream.write(this.#joined)
    }
  }

  #find (frame: Buffer): Batch {
    this.#next ??= new Map()
    const known = this.#next.get(frame)
    if (known !== undefined) return known
    const next = new Batch(frame, this)
    this.#next.set(frame, next)
    return next
  }

  #frames (): Buffer[] {
    const frames: Buffer[] = []
    let batch: Batch = this
    while (batch.#before !== undefined) {
      frames.push(batch.#frame)
      batch = batch.#before
    }
    return frames.reverse()
  }
}
