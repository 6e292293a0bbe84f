// WebSocket frames as bytes (RFC 6455, section 5.2): what a correct client sends, and everything it must not send.
import { randomBytes } from 'node:crypto'

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameOptions {
  /** The last frame of its message. Default true. */
  fin?: boolean;
  /** The three reserved bits, as a number from 0 to 7. Default 0. */
  rsv?: number;
  /** A client must mask. Default true; false makes a frame that a server must refuse. */
  mask?: boolean;
  /** The length that the head claims. Default: the real one. */
  length?: number;
}

export interface Frame {
  fin: boolean;
  rsv: number;
  opcode: number;
  masked: boolean;
  payload: Buffer;
}

/** One client frame. An opcode that has no name is given as a number. */
export function frame (opcode: keyof typeof OPCODES | number, payload: string | Uint8Array = '', options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, mask = true } = options
  const body = Buffer.from(payload)
  const code = typeof opcode === 'number' ? opcode : OPCODES[opcode]
  const first = (fin ? 0x80 : 0) | (rsv << 4) | code
  const length = lengthBytes(options.length ?? body.length, mask)
  if (!mask) return Buffer.concat([Buffer.of(first), length, body])

  const key = randomBytes(4)
  return Buffer.concat([Buffer.of(first), length, key, xor(body, key)])
}

/** A close frame with its code and reason. */
export function closeFrame (code: number, reason = '', options?: FrameOptions): Buffer {
  const body = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)])
  body.writeUInt16BE(code)
  return frame('close', body, options)
}

/** One message in as many frames as there are parts. */
export function fragmented (opcode: 'text' | 'binary', parts: Array<string | Uint8Array>): Buffer {
  return Buffer.concat(parts.map((part, index) => {
    return frame(index === 0 ? opcode : 'continuation', part, { fin: index === parts.length - 1 })
  }))
}

/** The first frame in `bytes` and how many bytes it took, once it is complete. */
export function parseFrame (bytes: Buffer): { value: Frame, used: number } | undefined {
  if (bytes.length < 2) return
  const first = bytes.readUInt8(0)
  const second = bytes.readUInt8(1)
  const masked = (second & 0x80) !== 0
  const extended = { 126: 2, 127: 8 }[second & 0x7f] ?? 0
  const start = 2 + extended + (masked ? 4 : 0)
  if (bytes.length < start) return

  const length = extended === 0 ? second & 0x7f : extended === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  const used = start + length
  if (bytes.length < used) return

  const body = bytes.subarray(start, used)
  const payload = masked ? xor(body, bytes.subarray(start - 4, start)) : Buffer.from(body)
  return { value: { fin: (first & 0x80) !== 0, rsv: (first >> 4) & 7, opcode: first & 0xf, masked, payload }, used }
}

function lengthBytes (length: number, mask: boolean): Buffer {
  const bit = mask ? 0x80 : 0
  if (length < 126) return Buffer.of(bit | length)

  const bytes = Buffer.alloc(length < 65_536 ? 3 : 9)
  bytes.writeUInt8(bit | (length < 65_536 ? 126 : 127))
  if (length < 65_536) bytes.writeUInt16BE(length, 1)
  else bytes.writeBigUInt64BE(BigInt(length), 1)
  return bytes
}

function xor (bytes: Buffer, key: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ (key[index % 4] ?? 0)))
}
