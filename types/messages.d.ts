import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyRequest,
  FastifySchema,
  FastifySchemaValidationError,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RequestGenericInterface,
  RouteGenericInterface
} from 'fastify'
import fastifyWebsocket = require('./index')

type Schemas<SchemaCompiler> = SchemaCompiler extends { messages: infer Messages } ? Messages : {}

type BySchema<SchemaCompiler, TypeProvider extends FastifyTypeProvider> =
  Schemas<SchemaCompiler> extends { receive: infer Schema } ? (TypeProvider & { schema: Schema })['validator'] : unknown

type ForSchema<SchemaCompiler, TypeProvider extends FastifyTypeProvider> =
  Schemas<SchemaCompiler> extends { send: infer Schema } ? (TypeProvider & { schema: Schema })['serializer'] : unknown

type MessagesPlugin = FastifyPluginAsync<messages.MessagesOptions>

/** Register it behind `fastify-wss`, before the routes. */
declare namespace messages {
  /** What `socket.messages()` gives: that of the route's generic `Receive`, else what the type provider makes of `schema.messages.receive`. */
  export type ReceivedMessage<RouteGeneric, SchemaCompiler, TypeProvider extends FastifyTypeProvider> =
    RouteGeneric extends { Receive: infer Message } ? unknown extends Message ? BySchema<SchemaCompiler, TypeProvider> : Message : BySchema<SchemaCompiler, TypeProvider>

  /** What `socket.sendMessage()` takes, by `Send` and `schema.messages.send` likewise. */
  export type SentMessage<RouteGeneric, SchemaCompiler, TypeProvider extends FastifyTypeProvider> =
    RouteGeneric extends { Send: infer Message } ? unknown extends Message ? ForSchema<SchemaCompiler, TypeProvider> : Message : ForSchema<SchemaCompiler, TypeProvider>

  /** The messages of a route: `schema.messages` of its declaration. */
  export interface MessagesSchema {
    /** Of what clients send, for the validator compiler of the route. A union is `anyOf` or `oneOf`. Default: everything is valid. */
    receive?: unknown
    /** Of what is sent to clients, for the serializer compiler of the route. Default: `JSON.stringify`. */
    send?: unknown
    /** Allows requests and replies, both ways: `socket.request()`, `socket.reply()`. Messages have to be objects. Default: false. */
    reply?: boolean
  }

  /** What a message looks like on the wire. */
  export interface MessageCodec {
    /** Whether messages are binary (RFC 6455, section 5.6). A message of the other kind closes with 1003. */
    binary: boolean
    /** The value of a message, by a promise too. What it throws closes with 1007. */
    decode (data: Buffer): unknown
    /** The message of a value. Takes the place of the serializer: `schema.messages.send` is for types and documentation then. */
    encode (value: any): string | Uint8Array
  }

  /** Why a message is not delivered: `FST_WS_MESSAGES_INVALID`. */
  export interface InvalidMessageError extends Error {
    code: 'FST_WS_MESSAGES_INVALID'
    /** 1003: of the wrong kind. 1007: cannot be decoded. 1008: against the schema. (RFC 6455, section 7.4.1) */
    closeCode: 1003 | 1007 | 1008
    /** What the validator found, if it did. */
    validation?: FastifySchemaValidationError[]
  }

  /**
   * Options of the messages of a route, and, in `register()`, of all routes behind it. The route wins, option by option; `null` takes
   * one back.
   */
  export interface MessagesOptions {
    /** Default: JSON text, parsed as Fastify parses bodies (`onProtoPoisoning`, `onConstructorPoisoning`). */
    codec?: MessageCodec | null

    /**
     * What becomes of an invalid message. None is delivered, and the first of a connection is logged, at level `info`.
     *
     * - `'close'`: the connection is closed with `closeCode` of the error, and the path and the rule for a reason. What the client
     *   sent behind it is not delivered.
     * - `'reply'`: the client is sent `{ "error": { "code": "FST_WS_MESSAGES_INVALID", "message": ... } }`, in its turn.
     * - `'drop'`: nothing.
     * - a function: whatever it does; its promise is waited for. Each open connection keeps its request alive then.
     *
     * Default: `'close'`.
     */
    invalid?: 'close' | 'reply' | 'drop' | ((error: InvalidMessageError, socket: fastifyWebsocket.WebSocket, request: FastifyRequest) => unknown) | null

    /** How many messages of one socket `onMessage` has at once, where it is async. Default: 1, each waits for the one before. */
    concurrency?: number | null

    /**
     * Bytes of messages that may wait for the application (each costs 256 beside its data). Past them the socket is paused, and
     * the client is held back by TCP. Default: 1048576.
     */
    maxBufferedAmount?: number | null

    /** Milliseconds that a socket may be paused for that. Past them it is closed with 1013 `unread messages`. Default: 60000. */
    grace?: number | null
  }

  /**
   * A route option: called with each message, once the route's handler has returned or its promise has resolved. What it throws
   * or rejects with is an error of the handler. What had arrived when the client left comes all the same. `this` is the Fastify
   * instance of the route's scope. Where it is given, `socket.messages()` is not there, and each open connection keeps its request
   * alive.
   */
  export type OnMessage<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RouteGeneric extends RequestGenericInterface = RequestGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger
  > = (
    this: FastifyInstance,
    message: ReceivedMessage<RouteGeneric, SchemaCompiler, TypeProvider>,
    socket: fastifyWebsocket.RouteSocket<RouteGeneric, SchemaCompiler, TypeProvider>,
    request: FastifyRequest<RouteGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
  ) => unknown

  export interface ReadOptions {
    /** Ends the iteration when it aborts: it throws the signal's reason. */
    signal?: AbortSignal
  }

  export interface RequestOptions {
    /** Milliseconds that the client has. Default: 10000. */
    timeout?: number
    /** Gives up when it aborts: the promise rejects with the signal's reason. */
    signal?: AbortSignal
  }

  export interface Messages {
    /**
     * A function that turns a value into JSON text by a schema and the application's serializer compiler, such as for the
     * `serialize` of `fastify-wss/pubsub`. The schema is compiled when the application starts; what is wrong with it rejects
     * `ready()` (`FST_WS_MESSAGES_INVALID_SCHEMA`). Of a value that does not fit it throws `FST_WS_MESSAGES_UNSERIALIZABLE`.
     */
    serializer (schema: unknown): (message: any) => string
  }

  export const messages: MessagesPlugin
  export { messages as default }
}

declare module './index' {
  interface SocketAdditions<
    RouteGeneric extends RequestGenericInterface = RequestGenericInterface,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault
  > {
    /**
     * The valid messages of the client, from now on, decoded: one reader at a time, and the listeners of `message` go on seeing
     * all of them raw. While the application does not read, `maxBufferedAmount` may wait. It ends when the connection has closed
     * and everything was read; leaving the loop ends it too, and drops what waits.
     *
     * Throws `FST_WS_MESSAGES_NOT_DECLARED` (a route without `schema.messages`), `FST_WS_MESSAGES_TAKEN` (somebody reads already).
     */
    messages (options?: messages.ReadOptions): AsyncIterableIterator<messages.ReceivedMessage<RouteGeneric, SchemaCompiler, TypeProvider>>

    /**
     * Sends a message. Resolves when it is handed to the system, so waiting for it is keeping the pace of the client.
     *
     * Rejects, and nobody has to catch that, with `FST_WS_MESSAGES_CLOSED` (the connection is closing or has broken
     * off; where a handler or `onMessage` ends by that it is no error),
     * `FST_WS_MESSAGES_UNSERIALIZABLE` (it does not fit its schema, or cannot be encoded; the first of a connection is logged),
     * `FST_WS_MESSAGES_NOT_DECLARED`.
     */
    sendMessage (message: messages.SentMessage<RouteGeneric, SchemaCompiler, TypeProvider>): Promise<void>

    /**
     * Sends a message with an id, and resolves to the message with which the client replies. Needs `schema.messages.reply`, and that
     * messages are read (`messages()` or `onMessage`).
     *
     * Rejects, and nobody has to catch that, with `FST_WS_MESSAGES_TIMEOUT`, `FST_WS_MESSAGES_NO_REPLY` (not allowed, or nobody
     * reads), `FST_WS_MESSAGES_INVALID` (what the reply is), the reason of `signal`, and as `sendMessage` does.
     */
    request (message: messages.SentMessage<RouteGeneric, SchemaCompiler, TypeProvider>, options?: messages.RequestOptions): Promise<messages.ReceivedMessage<RouteGeneric, SchemaCompiler, TypeProvider>>

    /**
     * Replies to a message in which the client asked for it, by its `requestId`. Resolves to whether it did: otherwise, and when it
     * has its reply, nothing is sent. Rejects as `sendMessage` does, and with `FST_WS_MESSAGES_NO_REPLY` where the route does not
     * allow replies.
     *
     * @param to What `messages()` or `onMessage` gave.
     */
    reply (to: messages.ReceivedMessage<RouteGeneric, SchemaCompiler, TypeProvider>, message: messages.SentMessage<RouteGeneric, SchemaCompiler, TypeProvider>): Promise<boolean>
  }
}

declare module 'fastify' {
  interface FastifySchema {
    /** Of `fastify-wss/messages`. */
    messages?: messages.MessagesSchema
  }

  interface RequestGenericInterface {
    /** What clients send on a websocket route, where no type provider tells. */
    Receive?: unknown
    /** What is sent to them. */
    Send?: unknown
  }

  interface RouteShorthandOptions<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    // eslint-disable-next-line @typescript-eslint/no-unused-vars
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger
  > {
    /** Of `fastify-wss/messages`: options of this route's messages. */
    messages?: messages.MessagesOptions
    /** Of `fastify-wss/messages`: called with each message. */
    onMessage?: messages.OnMessage<RawServer, RawRequest, RouteGeneric, ContextConfig, NoInfer<SchemaCompiler>, TypeProvider, Logger>
  }

  interface FastifyInstance {
    /** Of `fastify-wss/messages`. */
    messages: messages.Messages
  }
}

declare function messages (...params: Parameters<MessagesPlugin>): ReturnType<MessagesPlugin>

export = messages
