// What was published: text, bytes, or a value that travels and goes out as JSON. Each form is made only where somebody needs it,
// and once.

import { inspect, types } from 'node:util'
import { FST_WS_PUBSUB_INVALID_MESSAGE } from '../errors'
import { BINARY, JSON_TEXT } from './envelope'

export class Content {
  readonly flags: number
  #text: string | undefined
  #bytes: Buffer | undefined

  private constructor (flags: number, text: string | undefined, bytes: Buffer | undefined) {
    this.flags = flags
    this.#text = text
    this.#bytes = bytes
  }

  static published (data: unknown, binary: boolean | undefined): Content {
    if (typeof data === 'string') return new Content(binary === true ? BINARY : 0, data, undefined)
    const bytes = bytesOf(data)
    if (bytes !== undefined) return new Content(binary === false ? 0 : BINARY, undefined, bytes)
    return new Content(JSON_TEXT | (binary === true ? BINARY : 0), jsonOf(data), undefined)
  }

  static received (flags: number, payload: Buffer): Content {
    return new Content(flags, undefined, payload)
  }

  get isBinary (): boolean {
    return (this.flags & BINARY) !== 0
  }

  get size (): number {
    return this.#bytes?.length ?? Buffer.byteLength(String(this.#text))
  }

  get payload (): Buffer {
    this.#bytes ??= Buffer.from(String(this.#text))
    return this.#bytes
  }

  /** What clients get by default. */
  get data (): string | Buffer {
    return this.#bytes ?? String(this.#text)
  }

  /** What was published, for the application. */
  get message (): unknown {
    const isJson = (this.flags & JSON_TEXT) !== 0
    if (this.isBinary && !isJson) return this.payload
    this.#text ??= this.payload.toString()
    return isJson ? JSON.parse(this.#text) : this.#text
  }
}

function bytesOf (data: unknown): Buffer | undefined {
  if (Buffer.isBuffer(data)) return data
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  if (types.isAnyArrayBuffer(data)) return Buffer.from(data)
}

function jsonOf (data: unknown): string {
  let json: string | undefined
  let cause: unknown
  try {
    json = JSON.stringify(data)
  } catch (error) {
    cause = error
  }
  if (json === undefined) throw new FST_WS_PUBSUB_INVALID_MESSAGE(inspect(data, { depth: 0 }), { cause })
  return json
}
