// Every error of the plugin, by code. Those that @fastify/websocket has too are plain errors, worded as there: an
// application that compares them with its own, as deeply as it likes, finds no difference. The others are of
// @fastify/error. docs/errors.md tells what each means and what to do; a test holds the two together.

import createError from '@fastify/error'
import type { InjectWSError } from '../types'

export const FST_WS_INVALID_ERROR_HANDLER = plainError('FST_WS_INVALID_ERROR_HANDLER', 'invalid errorHandler function')

export const FST_WS_INVALID_PRE_CLOSE = plainError('FST_WS_INVALID_PRE_CLOSE', 'invalid preClose function')

export const FST_WS_NO_SERVER = plainError('FST_WS_NO_SERVER', "fastify-websocket doesn't support the ws noServer option. If you want to create a websocket server detatched from fastify, use the ws library directly.")

export const FST_WS_INVALID_OPTION = createError<[string, string, string]>('FST_WS_INVALID_OPTION', 'the option %s %s; it is %s', 500, TypeError)

export const FST_WS_ALREADY_REGISTERED = createError('FST_WS_ALREADY_REGISTERED', 'the websocket plugin is already registered on this instance or on a parent of it')

export const FST_WS_INVALID_METHOD = plainError('FST_WS_INVALID_METHOD', 'websocket handler can only be declared in GET method')

export const FST_WS_INVALID_HANDLER = plainError('FST_WS_INVALID_HANDLER', 'invalid wsHandler function', TypeError)

export const FST_WS_ROUTE_TOO_EARLY = createError<[string]>('FST_WS_ROUTE_TOO_EARLY', 'route %s cannot take a websocket upgrade: it was declared before the websocket plugin was loaded. Await the registration of the plugin, or declare the route inside a plugin that is registered after it')

export const FST_WS_CLOSING = createError('FST_WS_CLOSING', 'Service Unavailable', 503)

export const FST_WS_UPGRADE_WITH_BODY = createError('FST_WS_UPGRADE_WITH_BODY', 'a websocket upgrade has no body', 400)

export const FST_WS_WEBSOCKETS_ONLY = createError('FST_WS_WEBSOCKETS_ONLY', 'this server takes websocket upgrades only', 400)

export const FST_WS_HANDSHAKE_FAILED = createError('FST_WS_HANDSHAKE_FAILED', 'the websocket handshake failed', 500)

export const FST_WS_HANDSHAKE_TIMEOUT = createError<[number]>('FST_WS_HANDSHAKE_TIMEOUT', 'the websocket handshake was not answered within %d ms', 503)

export const FST_WS_ORIGIN_REFUSED = createError<[string]>('FST_WS_ORIGIN_REFUSED', 'the origin %s may not open a websocket here', 403)

export const FST_WS_ORIGIN_MISSING = createError('FST_WS_ORIGIN_MISSING', 'a websocket needs an Origin header here', 403)

export const FST_WS_TOO_MANY_CONNECTIONS = createError('FST_WS_TOO_MANY_CONNECTIONS', 'there are too many websocket connections', 503)

export const FST_WS_TOO_MANY_OF_KEY = createError('FST_WS_TOO_MANY_OF_KEY', 'you have too many websocket connections', 429)

export const FST_WS_TOO_MANY_PENDING = createError('FST_WS_TOO_MANY_PENDING', 'too many websocket upgrades wait for their answer', 503)

export const FST_WS_UPGRADE_REQUIRED = createError('FST_WS_UPGRADE_REQUIRED', 'this route serves websockets only', 426)

export const FST_WS_INVALID_UPGRADE_RESULT = createError('FST_WS_INVALID_UPGRADE_RESULT', 'upgrade has to give a WebSocket or nothing', 500, TypeError)

export const FST_WS_INVALID_DATE = createError<[string]>('FST_WS_INVALID_DATE', 'expiresAt takes a Date or milliseconds since 1970; it was given %s', 500, TypeError)

export const FST_WS_INJECT_REFUSED = plainError<[Refusal]>('FST_WS_INJECT_REFUSED', ({ statusCode }) => `Unexpected server response: ${statusCode}`)

export const FST_WS_INJECT_FAILED = createError<[string, ErrorOptions?]>('FST_WS_INJECT_FAILED', 'injectWS got no answer: %s', 0)

export const FST_WS_INJECT_TIMEOUT = createError<[number]>('FST_WS_INJECT_TIMEOUT', 'injectWS got no answer within %d ms', 0)

export const FST_WS_INJECT_ABORTED = createError<[ErrorOptions?]>('FST_WS_INJECT_ABORTED', 'injectWS was aborted', 0)

export const FST_WS_TESTING_TIMEOUT = createError<[number]>('FST_WS_TESTING_TIMEOUT', 'no message arrived within %d ms')

export const FST_WS_TESTING_CLOSED = createError<[number, string, { cause: Error | undefined }]>('FST_WS_TESTING_CLOSED', 'the socket closed with code %d and reason "%s"')

export const FST_WS_TESTING_TOO_LATE = createError('FST_WS_TESTING_TOO_LATE', 'the socket had closed before readMessages() was called')

export const FST_WS_TESTING_STOPPED = createError('FST_WS_TESTING_STOPPED', 'the inbox was stopped')

export const FST_WS_PUBSUB_NO_WEBSOCKET = createError('FST_WS_PUBSUB_NO_WEBSOCKET', 'fastify-wss/pubsub has to be registered behind fastify-wss, on the same instance')

export const FST_WS_PUBSUB_INVALID_TOPIC = createError<[string]>('FST_WS_PUBSUB_INVALID_TOPIC', 'a topic must be a well-formed string of 1 to 1024 bytes; it is %s', 400, TypeError)

export const FST_WS_PUBSUB_INVALID_MESSAGE = createError<[string, ErrorOptions?]>('FST_WS_PUBSUB_INVALID_MESSAGE', 'a message must be a string, bytes or a value that JSON can hold; it is %s', 500, TypeError)

export const FST_WS_PUBSUB_TOO_LARGE = createError<[number, number]>('FST_WS_PUBSUB_TOO_LARGE', 'the message has %d bytes, more than maxPayload allows (%d)', 413)

export const FST_WS_PUBSUB_FOREIGN_SOCKET = createError('FST_WS_PUBSUB_FOREIGN_SOCKET', 'this is not a socket of a websocket route of this application', 500, TypeError)

export const FST_WS_PUBSUB_REFUSED = createError<[string, ErrorOptions?]>('FST_WS_PUBSUB_REFUSED', 'this socket may not subscribe to %s', 403)

export const FST_WS_PUBSUB_NOT_OPEN = createError('FST_WS_PUBSUB_NOT_OPEN', 'a socket that is closing or closed cannot subscribe')

export const FST_WS_PUBSUB_CANCELLED = createError<[string]>('FST_WS_PUBSUB_CANCELLED', 'unsubscribe(%s) was called before the subscription was made')

export const FST_WS_PUBSUB_UNAVAILABLE = createError<[string, string, ErrorOptions?]>('FST_WS_PUBSUB_UNAVAILABLE', 'the engine %s is not available: %s', 503)

export const FST_WS_PUBSUB_TIMEOUT = createError<[string, number]>('FST_WS_PUBSUB_TIMEOUT', 'the engine %s was not there within %d ms', 503)

export const FST_WS_PUBSUB_NO_HISTORY = createError<[string]>('FST_WS_PUBSUB_NO_HISTORY', 'the engine %s has no history: after needs one')

export const FST_WS_PUBSUB_INVALID_ID = createError<[string]>('FST_WS_PUBSUB_INVALID_ID', 'after must be the id of a message; it is %s', 400, TypeError)

export const FST_WS_MESSAGES_NO_WEBSOCKET = createError('FST_WS_MESSAGES_NO_WEBSOCKET', 'fastify-wss/messages has to be registered behind fastify-wss')

export const FST_WS_MESSAGES_NO_WEBSOCKET_ROUTE = createError<[string]>('FST_WS_MESSAGES_NO_WEBSOCKET_ROUTE', 'the route %s declares messages and serves no websockets')

export const FST_WS_MESSAGES_NO_COMPILER = createError('FST_WS_MESSAGES_NO_COMPILER', 'this version of Fastify keeps its schema compilers elsewhere: set them by setValidatorCompiler and setSerializerCompiler')

export const FST_WS_MESSAGES_INVALID_SCHEMA = createError<[string, string, ErrorOptions?]>('FST_WS_MESSAGES_INVALID_SCHEMA', 'the schema of the messages %s: %s')

export const FST_WS_MESSAGES_NOT_DECLARED = createError('FST_WS_MESSAGES_NOT_DECLARED', 'the route of this socket declares no messages: give it schema.messages')

export const FST_WS_MESSAGES_TAKEN = createError('FST_WS_MESSAGES_TAKEN', 'the messages of this socket are read already')

export const FST_WS_MESSAGES_INVALID = createError<[string, ErrorOptions?]>('FST_WS_MESSAGES_INVALID', 'message%s', 400)

export const FST_WS_MESSAGES_UNSERIALIZABLE = createError<[string, ErrorOptions?]>('FST_WS_MESSAGES_UNSERIALIZABLE', 'the message cannot be sent: %s', 500, TypeError)

export const FST_WS_MESSAGES_CLOSED = createError<[ErrorOptions?]>('FST_WS_MESSAGES_CLOSED', 'the socket is closing or closed')

export const FST_WS_MESSAGES_NO_REPLY = createError<[string]>('FST_WS_MESSAGES_NO_REPLY', 'there can be no reply: %s')

export const FST_WS_MESSAGES_TIMEOUT = createError<[number]>('FST_WS_MESSAGES_TIMEOUT', 'the client did not reply within %d ms')

export const FST_WS_ASYNCAPI_NO_WEBSOCKET = createError('FST_WS_ASYNCAPI_NO_WEBSOCKET', 'fastify-wss/asyncapi has to be registered behind fastify-wss, on the same instance or below')

export const FST_WS_ASYNCAPI_ALREADY_REGISTERED = createError('FST_WS_ASYNCAPI_ALREADY_REGISTERED', 'fastify-wss/asyncapi is already registered on this instance or on a parent of it')

export const FST_WS_ASYNCAPI_NOT_READY = createError('FST_WS_ASYNCAPI_NOT_READY', 'asyncapi() can be called when the application is ready')

export const FST_WS_ASYNCAPI_UNKNOWN_REFERENCE = createError<[string, string]>('FST_WS_ASYNCAPI_UNKNOWN_REFERENCE', 'the schema of the route %s refers to %s, which is not there')

export const FST_WS_ASYNCAPI_NO_JSON_SCHEMA = createError<[string, string]>('FST_WS_ASYNCAPI_NO_JSON_SCHEMA', 'the schema "%s" of the route %s is no JSON schema: the option transform has to make one of it')

export const FST_WS_ASYNCAPI_NO_PACKAGE = createError<[string, ErrorOptions?]>('FST_WS_ASYNCAPI_NO_PACKAGE', 'this needs the package %s, which is not installed', 501)

type Refusal = Required<Pick<InjectWSError, 'statusCode' | 'headers' | 'body'>>

type PlainError<Args extends unknown[]> = new (...args: Args) => Error & { code: string }

// What such an error has beyond that of @fastify/websocket is not enumerable, or it would show in a comparison.
function plainError<Args extends [fields?: object] = []> (code: string, message: string | ((...args: Args) => string), Base: ErrorConstructor = Error): PlainError<Args> {
  function PlainError (...args: Args): Error {
    const error = new Base(typeof message === 'string' ? message : message(...args))
    Error.captureStackTrace(error, PlainError)
    for (const [name, value] of Object.entries({ code, ...args[0] })) {
      Object.defineProperty(error, name, { value, writable: true, configurable: true })
    }
    return error
  }
  return PlainError as unknown as PlainError<Args>
}
