// What the messages of a route look like on the wire and to the application: how bytes become a value that its schema allows, and
// a value bytes. It is made once, when the application starts, and an invalid schema fails there.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { MessageCodec, MessagesSchema } from '../../types/messages'
import { FST_WS_MESSAGES_INVALID_SCHEMA, FST_WS_MESSAGES_UNSERIALIZABLE } from '../errors'
import type { Compilers } from './compilers'
import { invalid } from './invalid'
import { compileUnion } from './union'
import { createValidate } from './validation'
import type { Validate } from './validation'

export interface Format {
  isBinary: boolean
  isJson: boolean
  hasReply: boolean
  /** A value, or a promise of one; what it throws is an invalid message. */
  decode: (bytes: Buffer) => unknown
  /** Throws FST_WS_MESSAGES_UNSERIALIZABLE. */
  encode: (value: unknown) => string | Uint8Array
  /** The same of what is in no schema. */
  encodeAny: (value: unknown) => string | Uint8Array
  /** Undefined where everything is valid. */
  validate: Validate | undefined
}

export function createFormat (instance: FastifyInstance, { receive, send, reply: hasReply = false }: MessagesSchema, codec: MessageCodec | undefined, compilers: Compilers, place: string): Format {
  const validate = receive === undefined ? undefined : compileAs(`receive of ${place}`, () => createValidate(receive, compilers.validator, id => instance.getSchema(id)))
  // Where a codec takes its place it is for documentation; what is wrong with it is said all the same.
  const serialize = createSerialize(instance, send, compilers, `send of ${place}`)
  if (codec === undefined) return { isBinary: false, isJson: true, hasReply, decode: createJsonParser(instance), encode: serialize, encodeAny: JSON.stringify, validate }
  const encode = encodeBy(value => codec.encode(value))
  return { isBinary: codec.binary, isJson: false, hasReply, decode: bytes => codec.decode(bytes), encode, encodeAny: encode, validate }
}

export function createSerialize (instance: FastifyInstance, schema: unknown, { serializer }: Compilers, name: string): (value: unknown) => string {
  if (schema === undefined) return encodeBy(JSON.stringify)
  return encodeBy(compileAs(name, () => compileUnion(schema, id => instance.getSchema(id), serializer, refuse)))
}

function refuse (rule: string): never {
  throw new TypeError(`message${rule}`)
}

function compileAs<Compiled> (name: string, compile: () => Compiled): Compiled {
  try {
    return compile()
  } catch (cause) {
    throw new FST_WS_MESSAGES_INVALID_SCHEMA(name, textOf(cause), { cause })
  }
}

function encodeBy<Encoded extends string | Uint8Array> (encode: (value: unknown) => Encoded): (value: unknown) => Encoded {
  return value => {
    let encoded: unknown
    try {
      encoded = encode(value)
    } catch (cause) {
      throw new FST_WS_MESSAGES_UNSERIALIZABLE(textOf(cause), { cause })
    }
    if (typeof encoded === 'string' || encoded instanceof Uint8Array) return encoded as Encoded
    throw new FST_WS_MESSAGES_UNSERIALIZABLE(`it became ${typeof encoded}`)
  }
}

// As Fastify's own for bodies does it, with what the application has set for that. It searches every text for the names that poison
// an object. A text that cannot have one is found faster, and then there is nothing left of it but JSON.parse().
function createJsonParser (instance: FastifyInstance): Format['decode'] {
  const { onProtoPoisoning = 'error', onConstructorPoisoning = 'error' } = instance.initialConfig
  const parse = instance.getDefaultJsonParser(onProtoPoisoning, onConstructorPoisoning)
  return function decodeJson (bytes) {
    const text = bytes.toString()
    return isPlain(text) ? parseJson(text) : parseSuspicious(text)
  }

  // It has no need of the request.
  function parseSuspicious (text: string): unknown {
    let value: unknown
    parse({} as FastifyRequest, text, (error, parsed) => {
      if (error !== null) throw invalid(1007, ' is not JSON')
      value = parsed
    })
    return value
  }
}

// In JSON only \u can write a letter in another way. A byte order mark is no JSON either, but Fastify takes it off.
function isPlain (text: string): boolean {
  return !text.includes('\\u') && !text.includes('__proto__') && !text.includes('constructor') && !text.startsWith('\ufeff')
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(1007, ' is not JSON')
  }
}

function textOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
