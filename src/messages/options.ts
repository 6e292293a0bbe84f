// What the application asked for, in register() and on a route, checked once.

import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import type { WebSocket } from 'ws'
import type { MessageCodec, MessagesOptions, MessagesSchema } from '../../types/messages'
import { BOOLEAN, check, checkKeys, COUNT, DELAY, FUNCTION, OBJECT, SIZE } from '../check'
import type { Rule } from '../check'
import type { OnInvalid } from './refusal'

export type HandleMessage = (this: FastifyInstance, message: unknown, socket: WebSocket, request: FastifyRequest) => unknown

export interface Settings {
  codec: MessageCodec | undefined
  invalid: OnInvalid
  concurrency: number
  maxBufferedAmount: number
  grace: number
}

/** What a route declares. */
export interface Declared {
  schemas: MessagesSchema
  settings: Settings
  onMessage: HandleMessage | undefined
}

const KEYS = ['codec', 'invalid', 'concurrency', 'maxBufferedAmount', 'grace']
const DEFAULTS: Settings = { codec: undefined, invalid: 'close', concurrency: 1, maxBufferedAmount: 1024 * 1024, grace: 60_000 }

const INVALID: Rule = {
  isValid: value => value === 'close' || value === 'reply' || value === 'drop' || FUNCTION.isValid(value),
  text: "must be 'close', 'reply', 'drop' or a function"
}

const CODEC: Rule = {
  isValid: value => OBJECT.isValid(value) && isCodec(value as Partial<MessageCodec>),
  text: 'must be an object with binary (a boolean), decode and encode'
}

/** Undefined where a route declares nothing of messages. */
export function readDeclaration (route: RouteOptions, defaults: Settings): Declared | undefined {
  const { onMessage, messages, schema }: { onMessage?: unknown, messages?: unknown, schema?: { messages?: unknown } } = route
  if (schema?.messages == null && onMessage == null && messages == null) return
  check('onMessage', onMessage, FUNCTION)
  check('messages', messages, OBJECT)
  const settings = readSettings('messages', messages ?? {}, defaults)
  return { schemas: readSchemas(schema?.messages ?? {}), settings, onMessage: (onMessage ?? undefined) as HandleMessage | undefined }
}

export function readOptions (given: MessagesOptions): Settings {
  // Fastify's own are not ours to judge.
  const { prefix, logLevel, logSerializers, ...ours } = given as Record<string, unknown>
  return readSettings('messages', ours, DEFAULTS)
}

function readSettings (name: string, given: MessagesOptions, defaults: Settings): Settings {
  checkKeys(name, given, KEYS)
  const { codec, invalid, concurrency, maxBufferedAmount, grace } = given
  check(`${name}.codec`, codec, CODEC)
  check(`${name}.invalid`, invalid, INVALID)
  check(`${name}.concurrency`, concurrency, COUNT)
  check(`${name}.maxBufferedAmount`, maxBufferedAmount, SIZE)
  check(`${name}.grace`, grace, DELAY)
  return {
    codec: choose(codec, defaults.codec, undefined),
    invalid: choose(invalid, defaults.invalid, DEFAULTS.invalid),
    concurrency: choose(concurrency, defaults.concurrency, DEFAULTS.concurrency),
    maxBufferedAmount: choose(maxBufferedAmount, defaults.maxBufferedAmount, DEFAULTS.maxBufferedAmount),
    grace: choose(grace, defaults.grace, DEFAULTS.grace)
  }
}

/** Null takes back what the registration has set. */
function choose<Value> (given: Value | null | undefined, inherited: Value, unset: Value): Value {
  return given === null ? unset : given ?? inherited
}

function readSchemas (schemas: object): MessagesSchema {
  check('schema.messages', schemas, OBJECT)
  checkKeys('schema.messages', schemas, ['receive', 'send', 'reply'])
  const { receive, send, reply }: MessagesSchema = schemas
  check('schema.messages.receive', receive, OBJECT)
  check('schema.messages.send', send, OBJECT)
  check('schema.messages.reply', reply, BOOLEAN)
  return { receive: receive ?? undefined, send: send ?? undefined, reply: reply ?? false }
}

function isCodec ({ binary, decode, encode }: Partial<MessageCodec>): boolean {
  return typeof binary === 'boolean' && typeof decode === 'function' && typeof encode === 'function'
}
