// How a message says that it wants a reply, or is one: by a member beside its own, requestId or replyTo. Both are taken off before
// the schema is asked, and put on when it has been.

import { FST_WS_MESSAGES_UNSERIALIZABLE } from '../errors'
import type { Format } from './format'
import { invalid } from './invalid'

export type Id = string | number

export interface Unsealed {
  value: unknown
  requestId?: Id | undefined
  replyTo?: Id | undefined
}

const LONGEST_ID = 64

export function unseal (value: unknown): Unsealed {
  if (!isObject(value) || !('requestId' in value || 'replyTo' in value)) return { value }
  const { requestId, replyTo, ...message } = value
  return { value: message, requestId: readId('requestId', requestId), replyTo: readId('replyTo', replyTo) }
}

/** Throws FST_WS_MESSAGES_UNSERIALIZABLE. */
export function seal ({ encode, isJson }: Format, message: unknown, member: 'requestId' | 'replyTo', id: Id): string | Uint8Array {
  if (!isObject(message)) throw new FST_WS_MESSAGES_UNSERIALIZABLE(`only an object can have a ${member}`)
  if (!isJson) return encode({ ...message, [member]: id })
  const text = String(encode(message))
  if (!text.startsWith('{')) throw new FST_WS_MESSAGES_UNSERIALIZABLE(`only an object can have a ${member}`)
  return `{"${member}":${JSON.stringify(id)}${text === '{}' ? '' : ','}${text.slice(1)}`
}

function readId (member: string, id: unknown): Id | undefined {
  if (id === undefined || typeof id === 'number' || (typeof id === 'string' && id.length <= LONGEST_ID)) return id
  throw invalid(1008, `/${member} must be a number or a string of at most ${LONGEST_ID} characters`)
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
