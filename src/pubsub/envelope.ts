// A message as it travels between nodes: 16 bytes in front of what was published.
//
//   0   1   2        3      4 ............ 9   10 .......... 15   16 ...
//   magic   version  flags  node              sequence           payload
//
// Node: 48 random bits of the process that published it. Sequence: of this node and this topic, one more with each message,
// which is how a receiver sees that some are missing. What does not begin like that is not ours.

import { randomBytes } from 'node:crypto'

export const HEAD = 16

const MAGIC = 0xf55b
const VERSION = 1

export const BINARY = 1
/** Was published as a value and not as text: travels, and goes out unless serialize() says otherwise, as JSON. */
export const JSON_TEXT = 2
/** Of the hubs among themselves, on a topic that no application can have. */
export const CONTROL = 4
export const CONTROL_TOPIC = ''

export interface Envelope {
  flags: number
  node: number
  sequence: number
  payload: Buffer
}

export function newNodeId (): number {
  return randomBytes(6).readUIntBE(0, 6)
}

export function seal ({ flags, node, sequence, payload }: Envelope): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD + payload.length)
  bytes.writeUInt16BE(MAGIC, 0)
  bytes[2] = VERSION
  bytes[3] = flags
  bytes.writeUIntBE(node, 4, 6)
  bytes.writeUIntBE(sequence, 10, 6)
  payload.copy(bytes, HEAD)
  return bytes
}

/** Undefined for what is not ours. */
export function unseal (bytes: Buffer): Envelope | undefined {
  if (bytes.length < HEAD || bytes.readUInt16BE(0) !== MAGIC || bytes[2] !== VERSION) return
  return { flags: Number(bytes[3]), node: bytes.readUIntBE(4, 6), sequence: bytes.readUIntBE(10, 6), payload: bytes.subarray(HEAD) }
}
