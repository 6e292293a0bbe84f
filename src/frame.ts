// A frame of the server with a whole message in it, as RFC 6455 section 5.2 has it, for whoever writes to the stream past send().

/** First bytes of a frame. */
export const TEXT = 0x81
export const BINARY = 0x82

export function frameOf (first: number, body: Uint8Array): Buffer {
  const { length } = body
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const frame = Buffer.allocUnsafe(2 + extended + length)
  frame[0] = first
  frame[1] = extended === 0 ? length : extended === 2 ? 126 : 127
  if (extended === 2) frame.writeUInt16BE(length, 2)
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2)
  frame.set(body, 2 + extended)
  return frame
}

/** The same as a string that is to be written as latin1, where the text is ASCII: the system takes it without a Buffer between. */
export function frameOfText (first: number, text: string): string | Buffer {
  const { length } = text
  if (length > 65_535 || Buffer.byteLength(text) !== length) return frameOf(first, Buffer.from(text))
  const head = length < 126 ? String.fromCharCode(first, length) : String.fromCharCode(first, 126, length >> 8, length & 0xff)
  return head + text
}
