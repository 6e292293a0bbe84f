// From what ws delivers to a value that the schema allows, step by step: the kind of message, its bytes, the codec, the envelope of
// a request or a reply, the schema. Any step may be a promise, and hardly ever is one. What goes wrong is thrown as an invalid
// message.

import { isThenable } from '../thenable'
import { unseal } from './envelope'
import type { Unsealed } from './envelope'
import type { Format } from './format'
import type { Arrived } from './inbox'
import { invalid, isInvalid } from './invalid'

/** What is in it, before its schema is asked; or a promise. */
export function decode ({ isBinary, decode, hasReply }: Format, arrived: Arrived): Unsealed | Promise<Unsealed> {
  if (arrived.isBinary !== isBinary) throw invalid(1003, isBinary ? ' must be binary' : ' must be text')
  const bytes = bytesOf(arrived.data)
  const value = bytes instanceof Promise ? bytes.then(decode) : attempt(decode, bytes)
  const open = hasReply ? unseal : wrap
  return isThenable(value) ? Promise.resolve(value).then(open, refuse) : open(value)
}

/** The value to go on with, or a promise. */
export function validate ({ validate }: Format, { value }: Unsealed): unknown {
  return validate === undefined ? value : validate(value)
}

// By the binaryType of the socket, which is the application's to choose. Text is always a Buffer.
function bytesOf (data: unknown): Buffer | Promise<Buffer> {
  if (Buffer.isBuffer(data)) return data
  if (data instanceof Blob) return data.arrayBuffer().then(Buffer.from)
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer)
}

function attempt (decode: Format['decode'], bytes: Buffer): unknown {
  try {
    return decode(bytes)
  } catch (error) {
    return refuse(error)
  }
}

function wrap (value: unknown): Unsealed {
  return { value }
}

function refuse (error: unknown): never {
  throw isInvalid(error) ? error : invalid(1007, ' cannot be decoded', { cause: error })
}
