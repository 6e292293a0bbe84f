// A message on its way to clients: its frames are built once, whoever many they go to (RFC 6455 section 5.2, RFC 7692 section
// 7.2.1). A compressed frame is for those who keep nothing from one message to the next, one for each size of their windows;
// any client may get a message uncompressed.

import { constants, deflateRawSync } from 'node:zlib'
import { BINARY, frameOf, TEXT } from '../frame'

/** What the frames of a hub go by. */
export interface Compression {
  /** Bytes from which on a message is compressed. */
  threshold: number
  /** Bytes up to which it is: compressing stops everything else meanwhile. */
  limit: number
}

/** No window: a client that cannot share a compressed frame. zlib cannot make one of 8 bits. */
export const UNSHARED = 0
const SMALLEST_WINDOW = 9
const LARGEST_WINDOW = 15

// zlib takes memory by its settings and not by what it is given: 256 KiB by default, which for a small message costs more than to
// compress it. So its settings are those that are enough for the message.
// Bytes of its window that zlib does not look back to.
const LOOKAHEAD = 262
// memLevel m is room for 2 ** (m + 6) symbols.
const SYMBOLS = 6
const DEFAULT_MEM_LEVEL = 8

const COMPRESSED = 0x40
const TRAILER = 4

export class Message {
  readonly data: string | Buffer
  /** For socket.send(), where that is the way. */
  readonly options: { binary: boolean, compress: false }
  readonly #compression: Compression | undefined
  #bytes: Buffer | undefined
  #plain: Buffer | undefined
  #compressed: Map<number, Buffer> | undefined

  constructor (data: string | Buffer, binary: boolean, compression: Compression | undefined) {
    this.data = data
    this.options = { binary, compress: false }
    this.#compression = compression
  }

  /** What the client gets, without a frame. */
  get bytes (): Buffer {
    this.#bytes ??= typeof this.data === 'string' ? Buffer.from(this.data) : this.data
    return this.#bytes
  }

  /** windowBits: of a client that can share a compressed frame; otherwise UNSHARED. */
  frame (windowBits: number): Buffer {
    if (windowBits < SMALLEST_WINDOW || this.#compression === undefined) return this.#plainFrame()
    const { length } = this.bytes
    if (length < this.#compression.threshold || length > this.#compression.limit) return this.#plainFrame()
    this.#compressed ??= new Map()
    const bits = Math.min(windowBits, windowFor(length))
    const known = this.#compressed.get(bits)
    if (known !== undefined) return known
    const frame = this.#compress(bits)
    this.#compressed.set(bits, frame)
    return frame
  }

  #plainFrame (): Buffer {
    this.#plain ??= frameOf(this.options.binary ? BINARY : TEXT, this.bytes)
    return this.#plain
  }

  #compress (windowBits: number): Buffer {
    const memLevel = Math.min(windowFor(this.bytes.length) - SYMBOLS, DEFAULT_MEM_LEVEL)
    const deflated = deflateRawSync(this.bytes, { windowBits, memLevel, finishFlush: constants.Z_SYNC_FLUSH })
    const body = deflated.subarray(0, deflated.length - TRAILER)
    if (body.length >= this.bytes.length) return this.#plainFrame()
    return frameOf((this.options.binary ? BINARY : TEXT) | COMPRESSED, body)
  }
}

/** Bits of the smallest window that sees so many bytes whole. */
function windowFor (length: number): number {
  return Math.min(Math.max(Math.ceil(Math.log2(length + LOOKAHEAD)), SMALLEST_WINDOW), LARGEST_WINDOW)
}
