import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import type {
  ContextConfigDefault,
  FastifyBaseLogger,
  FastifyInstance,
  FastifyPluginCallback,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
  preCloseAsyncHookHandler,
  preCloseHookHandler,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerBase,
  RawServerDefault,
  RequestGenericInterface,
  RouteGenericInterface,
  RouteOptions as FastifyRouteOptions
} from 'fastify'
import WS = require('ws')

// Type parameters of what is augmented below must carry the names, the order
// and the defaults that Fastify gave them: TypeScript merges nothing else.

/** What this plugin adds to the options of `fastify.route()`. */
interface WebsocketRouteOptions<
  RawServer extends RawServerBase = RawServerDefault,
  RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
  RequestGeneric extends RequestGenericInterface = RequestGenericInterface,
  ContextConfig = ContextConfigDefault,
  SchemaCompiler extends FastifySchema = FastifySchema,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  Logger extends FastifyBaseLogger = FastifyBaseLogger
> {
  /**
   * Serves websocket upgrades on this route, while `handler` goes on serving plain HTTP. GET routes only.
   *
   * Anything but a function makes `route()` throw `invalid wsHandler function`.
   */
  wsHandler?: fastifyWebsocket.WebsocketHandler<RawServer, RawRequest, RequestGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
}

type WebsocketPlugin = FastifyPluginCallback<fastifyWebsocket.WebsocketPluginOptions>

declare namespace fastifyWebsocket {
  /** The socket that a handler gets and that `injectWS` resolves to: the `WebSocket` of `ws`, and what this plugin adds to it. */
  export interface WebSocket extends WS.WebSocket {
    /**
     * Closes this connection at a date, as when the token of its client ends: with 1008 `expired`, or as `maxLifetime` of
     * its route says. What the client sends from then on is not delivered. A later call moves the date either way, though
     * never past `maxLifetime`; one that has passed closes at once, `Infinity` means no date.
     *
     * - `date`: a `Date`, or milliseconds since 1970 (the `exp` of a JWT is in seconds: `exp * 1000`).
     *
     * Anything else throws `FST_WS_INVALID_DATE`. It does nothing on a socket that is closing or closed.
     *
     * Every socket that a handler gets has it. Optional, because a socket of `ws` is one of this type too, as in
     * `@fastify/websocket`, and because the client of `injectWS`, or a socket that the application made itself, does not
     * have it.
     */
    expiresAt?: (date: Date | number) => void
  }

  /**
   * What entry points such as `fastify-wss/pubsub` add to the sockets that handlers get, where they are imported. It may depend
   * on the route: on the types given to its declaration, its schema, and the type provider.
   */
  export interface SocketAdditions<
    // eslint-disable-next-line @typescript-eslint/no-unused-vars
    RouteGeneric extends RequestGenericInterface = RequestGenericInterface,
    // eslint-disable-next-line @typescript-eslint/no-unused-vars
    SchemaCompiler extends FastifySchema = FastifySchema,
    // eslint-disable-next-line @typescript-eslint/no-unused-vars
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault
  > {}

  /** What a handler gets. */
  export type RouteSocket<
    RouteGeneric extends RequestGenericInterface = RequestGenericInterface,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault
  > = [keyof SocketAdditions] extends [never] ? WebSocket : WebSocket & SocketAdditions<RouteGeneric, SchemaCompiler, TypeProvider>

  /**
   * Serves one open connection. It runs once the 101 is written, with `this` set to the Fastify instance of the
   * route's own scope.
   *
   * What it throws, and what its promise rejects with, goes to `errorHandler`, as does an `error` of the socket.
   */
  export type WebsocketHandler<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RequestGeneric extends RequestGenericInterface = RequestGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger
  > = (
    this: FastifyInstance<Server, IncomingMessage, ServerResponse>,
    socket: RouteSocket<RequestGeneric, SchemaCompiler, TypeProvider>,
    request: FastifyRequest<RequestGeneric, RawServer, RawRequest, SchemaCompiler, TypeProvider, ContextConfig, Logger>
  // `any`: a handler may be passed on to code that expects a promise of something definite.
  ) => void | Promise<any>

  /**
   * Options of a connection: plugin-wide in the options of the plugin, or of one route in the place of `websocket: true`.
   * The route wins, option by option; `false` or `null` switches one off.
   */
  export interface WebsocketConnectionOptions {
    /**
     * Whose pages may open a websocket, by the `Origin` that browsers send. Another one is refused with 403 before anything
     * of the request is parsed, through Fastify's error path (`FST_WS_ORIGIN_REFUSED`). A client that sends none is no browser
     * and passes, unless `requireOrigin` is set.
     *
     * - `true` or `'same-origin'`: that of the application itself, `request.protocol` and `request.host`, so behind a proxy set
     *   Fastify's `trustProxy`.
     * - A string: this one. Scheme, host and port, no path: `'https://app.example.com'`, `'http://[::1]:3000'`,
     *   `'capacitor://localhost'`, or `'null'` for pages without one.
     * - A RegExp, asked with the origin in lower case and without a default port. Anchor it: `/^https:\/\/[^.]+\.example\.com$/`.
     * - A list of those.
     * - A function, asked with the header as it was sent. Its answer may be a promise; what it throws refuses as in a hook.
     *
     * Default: everybody.
     */
    origin?: WebsocketOrigin | false | null

    /**
     * Refuses clients that send no `Origin` with 403 (`FST_WS_ORIGIN_MISSING`). Needs `origin`.
     *
     * Default: false.
     */
    requireOrigin?: boolean | null

    /**
     * Sends what a listener of the socket throws, or rejects with, to `errorHandler`; otherwise such an error ends the
     * process. Listeners of `on`, `once`, `addEventListener` and `onmessage =` alike, async ones too. The other listeners of
     * the event are called all the same.
     *
     * In a class (`options.WebSocket`) that has an `emit` of its own, only what is thrown is caught.
     *
     * Default: false.
     */
    catchListenerErrors?: boolean | null

    /**
     * Ends a connection whose client says nothing any more. After a silence of `interval` the client is asked for a sign by
     * a ping; a silence of `interval + timeout` terminates, at most a quarter of an interval later. Whatever arrives
     * breaks the silence, also part of a message. While the socket is paused, time does not count.
     *
     * `true`: 30 seconds and 10 seconds. Default: off.
     */
    heartbeat?: boolean | HeartbeatOptions | null

    /**
     * Milliseconds without a *message* from either side after which the connection is closed, with 1001 `idle` unless
     * `code` and `reason` say otherwise. Pings and pongs are no messages. While the socket is paused, time does not count.
     *
     * Default: off.
     */
    idleTimeout?: number | IdleTimeoutOptions | false | null

    /**
     * Milliseconds after which a connection is closed, with 1008 `expired` unless `code` and `reason` say otherwise. They
     * hold for `socket.expiresAt()` too. At most 2147483647, which is 24 days.
     *
     * Default: off.
     */
    maxLifetime?: number | MaxLifetimeOptions | false | null

    /**
     * Ends a connection whose client reads too slowly for what it is sent, so that its backlog does not fill the memory.
     *
     * `true`: over 1 MiB for 3 seconds, or over 16 MiB at once. Default: off.
     */
    slowConsumer?: boolean | SlowConsumerOptions | null

    /**
     * How much a client may say in a window of time. The window begins with its first message.
     *
     * Default: off.
     */
    messageRate?: MessageRateOptions | false | null

    /**
     * Writes one line to the log when a connection ends: `websocket connection closed`, with the members of
     * {@link ConnectionSummary}.
     *
     * Default: false. `true` means `'info'`.
     */
    logClose?: 'info' | boolean | null
  }

  export interface HeartbeatOptions {
    /** Milliseconds of silence after which a ping is sent. Default: 30000. */
    interval?: number
    /** Milliseconds that the client has to answer it. Needs `interval`. Default: 10000. */
    timeout?: number
  }

  export interface IdleTimeoutOptions {
    /** Milliseconds without a message. */
    timeout: number
    /** The close code (RFC 6455, section 7.4). Default: 1001. */
    code?: number
    /** The text beside the code, at most 123 bytes in UTF-8. Default: `idle`. */
    reason?: string
  }

  export interface MaxLifetimeOptions {
    /** Milliseconds that a connection lasts. Default: no limit but those of `socket.expiresAt()`. */
    timeout?: number
    /** The close code (RFC 6455, section 7.4). Default: 1008. */
    code?: number
    /** The text beside the code, at most 123 bytes in UTF-8. Default: `expired`. */
    reason?: string
  }

  export interface SlowConsumerOptions {
    /** Bytes that may wait to be sent for as long as they want (`bufferedAmount` of the socket). Default: 1048576. */
    maxBufferedAmount?: number
    /** Milliseconds that more than `maxBufferedAmount` may wait. Default: 3000. */
    grace?: number
    /**
     * Bytes past which nothing is waited for. It has to be more than the largest message, which counts whole until the
     * system has taken all of it. Not below `maxBufferedAmount`. Default: 16777216.
     */
    hardLimit?: number
    /**
     * - `'close'`: 1013 `slow consumer`, and what is still open two seconds later is terminated: a client that does not
     *   read sees 1006.
     * - `'terminate'`: at once.
     * - a function: whatever it does, the connection stays open unless it ends it. It is called once, and again when the
     *   client has caught up and falls back again. What it throws or rejects with is an `error` of the socket.
     *
     * Default: `'close'`.
     */
    action?: 'close' | 'terminate' | ((socket: WebSocket) => void) | ((socket: WebSocket) => Promise<void>)
  }

  /** `max` or `maxBytes` or both. */
  export interface MessageRateOptions {
    /** Messages in a window. Default: no limit. */
    max?: number
    /** Bytes of the data of messages in a window. Default: no limit. */
    maxBytes?: number
    /** Milliseconds of a window. */
    timeWindow: number
    /**
     * - `'close'`: the first message too many closes with 1008 `message rate`, and is not delivered.
     * - `'pause'`: it waits for the next window, and the client is held back by TCP. A message that is larger than
     *   `maxBytes` has a window of its own. Where more than 16 MiB have arrived already, it closes as above.
     *
     * Default: `'close'`.
     */
    action?: 'close' | 'pause'
  }

  /** See `origin` in {@link WebsocketConnectionOptions}. */
  export type WebsocketOrigin = true | string | RegExp | ReadonlyArray<string | RegExp> |
    ((origin: string, request: FastifyRequest) => boolean | Promise<boolean>)

  /** How many connections of a route there may be. */
  export interface RouteConnectionLimits {
    /** To each route, counted after all hooks. Above it: 503 with `Retry-After` (`FST_WS_TOO_MANY_CONNECTIONS`). Default: no limit. */
    perRoute?: number | null

    /**
     * Tells whose connection it is (a user, a tenant) once all hooks have run, by a promise too. What it gives is compared as a
     * string; `null` and `undefined` are not counted. Routes with the same function count together. Needs `perKey`.
     */
    key?: ((request: FastifyRequest) => unknown) | null

    /** Of each key. Above it: 429 with `Retry-After` (`FST_WS_TOO_MANY_OF_KEY`). Needs `key`. Default: no limit. */
    perKey?: number | null
  }

  /** How many connections there may be. A place is free again when the connection has closed or the upgrade is refused. */
  export interface ConnectionLimits extends RouteConnectionLimits {
    /**
     * In all, upgrades that are not answered yet among them; asked before any hook. Above it: 503 with `Retry-After`
     * (`FST_WS_TOO_MANY_CONNECTIONS`). Default: no limit.
     */
    total?: number | null

    /**
     * From one address, `request.ip`, so behind a proxy set Fastify's `trustProxy`. Asked before the hooks that are added after
     * the plugin. Above it: 503 with `Retry-After` (`FST_WS_TOO_MANY_CONNECTIONS`). Default: no limit.
     */
    perIp?: number | null
  }

  /** What `register()` takes. Wrong types reject the registration. */
  export interface WebsocketPluginOptions extends WebsocketConnectionOptions {
    /**
     * How many connections there may be, see {@link ConnectionLimits}. `perRoute`, `key` and `perKey` may be set on a route too,
     * where each wins, and `false` there lifts those three.
     *
     * Default: no limit.
     */
    maxConnections?: ConnectionLimits | false | null

    /**
     * How many upgrades may wait for their answer (for hooks, `verifyClient` and the like) at once; asked before any hook.
     * Above it: 503 with `Retry-After` (`FST_WS_TOO_MANY_PENDING`).
     *
     * Default: no limit.
     */
    maxPending?: number | false | null

    /**
     * Told of every error after the 101: a handler that throws or rejects, and the socket's own `error` events. From
     * then on neither the `onError` hook nor `setErrorHandler` is asked. If this function fails in turn, both errors
     * are logged and the socket is terminated.
     *
     * Default: log at level `error` and `socket.terminate()`.
     *
     * Not a function: `invalid errorHandler function`.
     */
    errorHandler?: WebsocketErrorHandler

    /** Options for the `WebSocketServer` of `ws` behind this plugin. */
    options?: PluginServerOptions

    /**
     * Runs when `fastify.close()` begins, in the callback or the async style, to part from the clients in the
     * application's own way and to close the `websocketServer`. New upgrades are refused from then on. It may take
     * `shutdown.timeout`; if it fails, that is logged. What it leaves open is closed as without it.
     *
     * Default: close every client as `shutdown` says, and the `websocketServer`.
     *
     * Not a function: `invalid preClose function`.
     */
    preClose?: preCloseHookHandler | preCloseAsyncHookHandler

    /**
     * Answers by status what otherwise opens and closes, or is not found: an upgrade to a route without a websocket handler
     * goes to the 404 handler, and a plain request to a route that serves websockets only gets 426 with `Upgrade: websocket`
     * (`FST_WS_UPGRADE_REQUIRED`).
     *
     * Default: false. Such an upgrade opens, is logged and closes with 1005; such a request gets 404.
     */
    strictRoutes?: boolean | null

    /**
     * Takes websockets over HTTP/2 too (RFC 8441, extended CONNECT), where the application's HTTP server speaks it. Routes,
     * hooks and options are the same.
     *
     * Default: true. False announces nothing to clients: over HTTP/2 they get no websocket.
     */
    http2?: boolean | null

    /** How `fastify.close()` parts from the clients. */
    shutdown?: ShutdownOptions

    /**
     * Settles whose upgrade it is when the HTTP server has other `upgrade` listeners too (a development server, a
     * proxy, another websocket library) or other registrations of this plugin. Asked for every websocket upgrade there:
     * `true` means it is for Fastify's router, `false` leaves the raw socket to the others.
     *
     * Default: ours when the URL, after `rewriteUrl`, matches one of this registration's websocket routes. Where there is
     * nobody else, this function is not asked and every websocket upgrade goes to the router.
     */
    shouldHandle?: (rawRequest: IncomingMessage) => boolean

    /**
     * Milliseconds that `verifyClient` and `handleProtocols` may take: past them the upgrade is refused with 503. Milliseconds
     * that a refused client may make no progress in reading the response: past them the raw socket is destroyed. And milliseconds that
     * messages wait for an async handler which does not listen: past them they are dropped, and the socket reads on.
     *
     * Default: 30000.
     */
    handshakeTimeout?: number
  }

  /**
   * See `errorHandler` in {@link WebsocketPluginOptions}. `this` is the Fastify instance of the route's own scope.
   *
   * Two members rather than one that returns a union: a function that happens to return something else (`error =>
   * errors.push(error)`) is assignable to a return type of plain `void` only.
   */
  export type WebsocketErrorHandler =
    | ((this: FastifyInstance, error: Error, socket: WebSocket, request: FastifyRequest, reply: FastifyReply) => void)
    | ((this: FastifyInstance, error: Error, socket: WebSocket, request: FastifyRequest, reply: FastifyReply) => Promise<void>)

  /** What there is to tell of a connection when it has ended. */
  export interface ConnectionSummary {
    /** The URL of the route as it was declared, such as `/rooms/:room`. */
    url: string
    /** The close code, 1005 where none came and 1006 where the connection broke off (RFC 6455, section 7.1.5). */
    code: number
    reason: string
    /** Milliseconds that it was open. */
    duration: number
    /** Messages that came; those that waited for an async handler count when they are delivered. */
    messagesReceived: number
    messagesSent: number
    /** Bytes that the messages carried, before compression and without frame headers. */
    bytesReceived: number
    bytesSent: number
  }

  /** `diagnostics_channel` `fastify-wss:open`: a connection is open, and its handler about to run. */
  export interface DiagnosticsOpen {
    socket: WebSocket
    request: FastifyRequest
    /** The URL of the route as it was declared. */
    url: string
  }

  /**
   * `diagnostics_channel` `fastify-wss:close`: a connection has ended. Told of those that opened while the channel had a
   * subscriber.
   */
  export interface DiagnosticsClose extends ConnectionSummary {
    socket: WebSocket
  }

  /** `diagnostics_channel` `fastify-wss:refuse`: a websocket upgrade is answered with another status than 101. */
  export interface DiagnosticsRefuse {
    rawRequest: IncomingMessage
    /** Undefined where it is not known: `ws`, or a listener for `wsClientError`, refused what is no proper handshake. */
    statusCode: number | undefined
  }

  /** `diagnostics_channel` `fastify-wss:error`: an error after the 101, before `errorHandler` is told of it. */
  export interface DiagnosticsError {
    socket: WebSocket
    /** Whatever was thrown. */
    error: unknown
  }

  /** How open connections are closed when the application closes. */
  export interface ShutdownOptions {
    /**
     * The close code that every client gets: one that an endpoint may send (RFC 6455, section 7.4), that is 1000 to
     * 1003, 1007 to 1014 or 3000 to 4999; 1001 says "going away".
     *
     * Default: none. The close frame is empty then, and the client reports 1005.
     */
    code?: number

    /**
     * The text beside the code, at most 123 bytes in UTF-8 (RFC 6455, section 5.5: what a control frame holds beside
     * the code). Needs `code`.
     *
     * Default: none.
     */
    reason?: string

    /**
     * Milliseconds that clients have to answer the close frame, counted from the last batch. Connections that are still
     * open then are terminated.
     *
     * Default: 10000.
     */
    timeout?: number

    /**
     * How many clients are asked to leave at a time, so that not all of them come back at the same moment. Those of the
     * later batches are served meanwhile. A whole number above 0.
     *
     * Default: all at once.
     */
    batch?: number

    /**
     * Milliseconds between one batch and the next. Needs `batch`.
     *
     * Default: 1000.
     */
    interval?: number
  }

  /** Options of the connections of one route, in the place of `websocket: true`. */
  export interface WebsocketRouteConnectionOptions extends WebsocketConnectionOptions {
    /**
     * Answers upgrades in the place of `ws`, once all hooks have run: for a proxy, or a negotiation of one's own. `this` is the
     * Fastify instance of the route's own scope, `head` what came behind the request.
     *
     * - A `WebSocket` that it gives goes on to the handler as any, and is one of `websocketServer.clients`.
     * - Where it gives nothing, the raw socket is the application's: the handler does not run, and nothing of the plugin reads
     *   or writes there any more. `fastify.close()` ends it after `shutdown.timeout`.
     * - What it throws refuses as in a hook, by its `statusCode`, unless something was written: then the connection is cut.
     *
     * Does not go with `maxPayload`, `perMessageDeflate`, `handleProtocols` and `verifyClient`, which are for `ws`.
     *
     * Default: `ws` answers.
     */
    upgrade?: WebsocketUpgrade | false | null

    /** How many connections of this route there may be. Each of these wins over the same plugin-wide. */
    maxConnections?: RouteConnectionLimits | false | null

    /**
     * Bytes that a message of a client may have, once it is decompressed; a longer one closes its connection with 1009. 0
     * or `null`: no limit. A whole number up to 2147483647.
     *
     * Default: that of `options`, 100 MiB in `ws`.
     */
    maxPayload?: number | null

    /**
     * Compression of messages (RFC 7692): `true`, the options of `ws`, or `'safe'`, see {@link PerMessageDeflate}.
     *
     * Default: that of `options`, none in `ws`.
     */
    perMessageDeflate?: PerMessageDeflate | null

    /**
     * Chooses one of the subprotocols that the client offers, see {@link HandleProtocols}. `false` or `null`: the first one.
     *
     * Default: that of `options`.
     */
    handleProtocols?: HandleProtocols | false | null

    /**
     * Lets a client in, or not, see {@link VerifyClient}. `false` or `null`: everybody whom the hooks let through, also where
     * there is a `verifyClient` in `options`.
     *
     * Default: that of `options`.
     */
    verifyClient?: VerifyClient | false | null
  }

  /**
   * Compression: whether, or the options of `ws` for it. `'safe'` is compression in bounded memory: windows of 1 KiB and no
   * context takeover both ways, messages below 1 KiB uncompressed, at most 4 at work at once. A client that offers compression
   * but not such windows is served without it.
   */
  export type PerMessageDeflate = boolean | 'safe' | WS.PerMessageDeflateOptions

  /** See `upgrade` in {@link WebsocketRouteConnectionOptions}. */
  export type WebsocketUpgrade =
    | ((this: FastifyInstance, request: FastifyRequest, rawSocket: Duplex, head: Buffer) => WebSocket | void)
    | ((this: FastifyInstance, request: FastifyRequest, rawSocket: Duplex, head: Buffer) => Promise<WebSocket | void>)

  /**
   * Chooses one of the subprotocols that the client offers, or `false` for none; by a promise too, while which the upgrade
   * waits, at most `handshakeTimeout`. Asked once the client has been verified, if it offers any.
   */
  export type HandleProtocols =
    | ((protocols: Set<string>, request: IncomingMessage) => string | false)
    | ((protocols: Set<string>, request: IncomingMessage) => Promise<string | false>)

  /** What `ws` tells `verifyClient` about the client. */
  export interface VerifyClientInfo {
    /** The `Origin` header, which only browsers have to tell truly. */
    origin: string
    /** Whether the connection is encrypted. */
    secure: boolean
    req: IncomingMessage
  }

  /**
   * Lets a client in, or not, after the application's hooks and before the 101: by what it returns, by what its promise
   * resolves to, or, when it is declared with a second parameter, by what it calls back with. Then what it returns is not
   * looked at, a promise neither: `async (info, callback) => false` refuses nobody, and ends in the 503 of
   * `handshakeTimeout`.
   */
  export type VerifyClient =
    | ((info: VerifyClientInfo, callback: VerifyClientCallback) => boolean | Promise<boolean>)
    | ((info: VerifyClientInfo, callback: VerifyClientCallback) => void)

  /** Status, text and headers are those of the refusal; it is a 401 unless they say otherwise. */
  export type VerifyClientCallback = (isAccepted: boolean, statusCode?: number, message?: string, headers?: OutgoingHttpHeaders) => void

  /**
   * The options of the `WebSocketServer` of `ws`, see its documentation for their meaning, units and defaults
   * (`maxPayload` is in bytes, 100 MiB unless set). They differ in these:
   *
   * - `server`: upgrades are taken from this HTTP(S) server in place of Fastify's own.
   * - `verifyClient` and `handleProtocols` may return a promise; while it is pending the upgrade waits. Both together may
   *   take `handshakeTimeout`.
   * - `perMessageDeflate` may be `'safe'`. For this and the former see {@link PluginServerOptions}.
   * - `noServer` and `port` are refused: the application listens, and this plugin takes upgrades from it.
   * - `path` is not here: Fastify routes. An untyped caller who sets it finds a warning in the log.
   */
  export interface WebSocketServerOptions extends Omit<WS.ServerOptions, 'path' | 'verifyClient'> {
    /** Lets a client in, or not. Default: everybody whom the hooks let through. */
    verifyClient?: VerifyClient | undefined
  }

  /** The same with what `ws` does not know of, so that it is not assignable to the options of `ws`. */
  export interface PluginServerOptions extends Omit<WebSocketServerOptions, 'handleProtocols' | 'perMessageDeflate'> {
    /** Chooses a subprotocol. Default: the first that the client offers. */
    handleProtocols?: HandleProtocols | undefined
    /** Default: none. */
    perMessageDeflate?: PerMessageDeflate | undefined
  }

  /**
   * Options of `fastify.route()` with those of this plugin among them, for code that builds such objects: a plain route, one
   * with a `wsHandler` beside its `handler`, or one whose `handler` is for websockets. Where `websocket` is an object,
   * TypeScript does not tell the last two apart by it: the parameters of `handler` need their types.
   */
  export type RouteOptions<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger
  > =
    | PlainRouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
    | WsHandlerRouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
    | WebsocketOnlyRouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>

  /** A route that serves plain HTTP. */
  export interface PlainRouteOptions<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger
  > extends FastifyRouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger> {
    websocket?: false
    wsHandler?: undefined
  }

  /** A route that serves plain HTTP by its `handler`, and websockets by its `wsHandler`. */
  export interface WsHandlerRouteOptions<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger
  > extends FastifyRouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger> {
    websocket?: boolean | WebsocketRouteConnectionOptions
    wsHandler: WebsocketHandler<RawServer, RawRequest, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
  }

  /** A route that serves websockets by its `handler`. */
  export interface WebsocketOnlyRouteOptions<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler extends FastifySchema = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger
  > extends Omit<FastifyRouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>, 'handler'> {
    websocket: true | WebsocketRouteConnectionOptions
    wsHandler?: undefined
    handler: WebsocketHandler<RawServer, RawRequest, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
  }

  /**
   * What the request of `injectWS` looks like to the application. `headers` are sent by the client; other properties
   * are assigned to the raw request before the application sees it, except `method`, `url` and `httpVersion`, which
   * are what the client sends.
   */
  export interface UpgradeContext extends Partial<Omit<IncomingMessage, 'headers' | 'socket'>> {
    /** Request headers. Names in any case; an array is sent as several headers of that name. */
    headers?: IncomingHttpHeaders
    /** Properties to set on the raw socket, such as `remoteAddress` (otherwise `127.0.0.1`) or `encrypted`. */
    socket?: Partial<TLSSocket>
  }

  /**
   * What `injectWS` rejects with. When the application refused the upgrade, the message is `Unexpected server response:
   * <status>` and the HTTP response is here; otherwise (no answer in time, an aborted signal, a destroyed socket) only
   * `code` tells. A refusal is equal to `new Error('Unexpected server response: <status>')` in every comparison: what it
   * has beyond that is not enumerable.
   */
  export interface InjectWSError extends Error {
    code: string
    /** Status of the HTTP response. */
    statusCode?: number
    /** Headers of the HTTP response, names in lower case. */
    headers?: IncomingHttpHeaders
    /** The whole body of the HTTP response, as text. */
    body?: string
  }

  export const fastifyWebsocket: WebsocketPlugin
  export { fastifyWebsocket as default }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether this request is a websocket upgrade. Known from the first `onRequest` hook on. */
    ws: boolean
  }

  interface RouteShorthandOptions<
    // eslint-disable-next-line @typescript-eslint/no-unused-vars
    RawServer extends RawServerBase = RawServerDefault
  > {
    /**
     * Makes `handler` a websocket handler. The route answers 404 to plain HTTP requests. GET routes only.
     *
     * An object means `true`, with options of this route's connections. Beside a `wsHandler` it is those options and no more.
     *
     * Default: false.
     */
    websocket?: boolean | fastifyWebsocket.WebsocketRouteConnectionOptions
  }

  interface RouteOptions<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    // eslint-disable-next-line @typescript-eslint/no-unused-vars
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
    ContextConfig = ContextConfigDefault,
    SchemaCompiler = FastifySchema,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger
  > extends WebsocketRouteOptions<RawServer, RawRequest, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger> { }

  interface RouteShorthandMethod<
    RawServer extends RawServerBase = RawServerDefault,
    RawRequest extends RawRequestDefaultExpression<RawServer> = RawRequestDefaultExpression<RawServer>,
    RawReply extends RawReplyDefaultExpression<RawServer> = RawReplyDefaultExpression<RawServer>,
    TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
    Logger extends FastifyBaseLogger = FastifyBaseLogger
  > {
    // The handler among the options comes first: where it is not among them these do not apply, by their number of arguments.

    /** A websocket route: `fastify.get(path, { websocket: true, handler: (socket, request) => { ... } })`. */
    <
      RequestGeneric extends RequestGenericInterface = RequestGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      InnerLogger extends Logger = Logger
    >(
      path: string,
      opts: Omit<RouteShorthandOptions<RawServer, RawRequest, RawReply, RequestGeneric, ContextConfig, SchemaCompiler, TypeProvider, InnerLogger>, 'websocket'> & { websocket: true | fastifyWebsocket.WebsocketRouteConnectionOptions, handler: fastifyWebsocket.WebsocketHandler<RawServer, RawRequest, RequestGeneric, ContextConfig, SchemaCompiler, TypeProvider, InnerLogger> }
    ): FastifyInstance<RawServer, RawRequest, RawReply, InnerLogger, TypeProvider>

    /** The same where `true` has become `boolean` in a constant, or is known at run time only. */
    <
      RequestGeneric extends RequestGenericInterface = RequestGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      InnerLogger extends Logger = Logger,
      IsWebsocket extends boolean = boolean
    >(
      path: string,
      opts: Omit<RouteShorthandOptions<RawServer, RawRequest, RawReply, RequestGeneric, ContextConfig, SchemaCompiler, TypeProvider, InnerLogger>, 'websocket'> & { websocket: IsWebsocket, handler: true extends IsWebsocket ? fastifyWebsocket.WebsocketHandler<RawServer, RawRequest, RequestGeneric, ContextConfig, SchemaCompiler, TypeProvider, InnerLogger> : never }
    ): FastifyInstance<RawServer, RawRequest, RawReply, InnerLogger, TypeProvider>

    /** A websocket route: `fastify.get(path, { websocket: true }, (socket, request) => { ... })`. */
    <
      RequestGeneric extends RequestGenericInterface = RequestGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      InnerLogger extends Logger = Logger
    >(
      path: string,
      opts: Omit<RouteShorthandOptions<RawServer, RawRequest, RawReply, RequestGeneric, ContextConfig, SchemaCompiler, TypeProvider, InnerLogger>, 'websocket'> & { websocket: true | fastifyWebsocket.WebsocketRouteConnectionOptions },
      handler?: fastifyWebsocket.WebsocketHandler<RawServer, RawRequest, RequestGeneric, ContextConfig, SchemaCompiler, TypeProvider, InnerLogger>
    ): FastifyInstance<RawServer, RawRequest, RawReply, InnerLogger, TypeProvider>

    /** The same where `true` has become `boolean` in a constant, or is known at run time only. */
    <
      RequestGeneric extends RequestGenericInterface = RequestGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      InnerLogger extends Logger = Logger,
      IsWebsocket extends boolean = boolean
    >(
      path: string,
      opts: Omit<RouteShorthandOptions<RawServer, RawRequest, RawReply, RequestGeneric, ContextConfig, SchemaCompiler, TypeProvider, InnerLogger>, 'websocket'> & { websocket: IsWebsocket },
      handler: true extends IsWebsocket ? fastifyWebsocket.WebsocketHandler<RawServer, RawRequest, RequestGeneric, ContextConfig, SchemaCompiler, TypeProvider, InnerLogger> : never
    ): FastifyInstance<RawServer, RawRequest, RawReply, InnerLogger, TypeProvider>
  }

  interface FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider> {
    /** The server of `ws` behind this plugin, live: `clients`, `options`, `connection` and other events. */
    websocketServer: WS.Server

    /**
     * Opens a websocket to this application over memory, for tests. No port is needed, and no `ready()` before: the call
     * starts the application and waits for all of its `onReady` hooks. (An `onReady` hook may call it too, and does not
     * wait then, if it was added after the plugin.)
     *
     * It goes on under mocked timers (`vi.useFakeTimers()`, `mock.timers`, ...), if the plugin was loaded before they were
     * mocked and `process.nextTick` is not among them. The timers of the application are the mock's.
     *
     * - `path`: path and query string. Default: `'/'`.
     * - `upgradeContext`: request headers, and properties of the raw request. Default: `{}`.
     * - `options`: see {@link InjectWSOption}. Default: `{}`.
     *
     * Resolves to the client's end once it is open. Rejects with a `fastifyWebsocket.InjectWSError`, or with what made the
     * application fail to start.
     */
    injectWS: InjectWSFn<RawRequest>

    /** A websocket route in the full declaration: `websocket: true` makes `handler` a websocket handler. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema
    >(
      opts: Omit<RouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>, 'handler' | 'websocket'> & {
        websocket: true | fastifyWebsocket.WebsocketRouteConnectionOptions
        handler: fastifyWebsocket.WebsocketHandler<RawServer, RawRequest, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
      }
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** The same where `true` has become `boolean` in a constant, or is known at run time only. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema,
      IsWebsocket extends boolean = boolean
    >(
      opts: Omit<RouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>, 'handler' | 'websocket'> & {
        websocket: IsWebsocket
        handler: true extends IsWebsocket ? fastifyWebsocket.WebsocketHandler<RawServer, RawRequest, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger> : never
      }
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>

    /** A route of either kind. */
    route<
      RouteGeneric extends RouteGenericInterface = RouteGenericInterface,
      ContextConfig = ContextConfigDefault,
      const SchemaCompiler extends FastifySchema = FastifySchema
    >(
      opts: fastifyWebsocket.RouteOptions<RawServer, RawRequest, RawReply, RouteGeneric, ContextConfig, SchemaCompiler, TypeProvider, Logger>
    ): FastifyInstance<RawServer, RawRequest, RawReply, Logger, TypeProvider>
  }

  type InjectWSFn<RawRequest> = (
    path?: string,
    upgradeContext?: Partial<RawRequest> | fastifyWebsocket.UpgradeContext,
    options?: InjectWSOption
  ) => Promise<fastifyWebsocket.WebSocket>

  /**
   * Options of `injectWS`: its own, and those of the `ws` client (`origin`, `perMessageDeflate`, `maxPayload` in bytes,
   * ...) that mean something over memory. Headers are given in `upgradeContext`, a time limit in `timeout`. Other than
   * in `ws`, `perMessageDeflate` is off unless it is set here or asked for by a `sec-websocket-extensions` header.
   */
  interface InjectWSOption extends Omit<WS.ClientOptions, keyof SecureContextOptions |
    'agent' | 'checkServerIdentity' | 'createConnection' | 'family' | 'followRedirects' | 'handshakeTimeout' | 'headers' |
    'host' | 'localAddress' | 'maxRedirects' | 'protocol' | 'rejectUnauthorized'> {
    /**
     * Called with the client before the handshake begins: the place for listeners that must miss nothing. If it throws,
     * or its promise rejects before the call has settled, the call rejects with that error and the client is terminated.
     */
    onInit?: (ws: fastifyWebsocket.WebSocket) => void
    /** Called with the client when it is open, before the promise resolves. If it throws: as with `onInit`. */
    onOpen?: (ws: fastifyWebsocket.WebSocket) => void
    /**
     * Subprotocols to offer, the preferred one first (RFC 6455, section 1.9).
     *
     * Default: those of the `sec-websocket-protocol` header in `upgradeContext`.
     */
    protocols?: string | string[]
    /**
     * Milliseconds that the handshake may take, hooks included, in real time. Past it the call rejects.
     *
     * Default: no limit.
     */
    timeout?: number
    /** Abandons the handshake when it aborts: the call rejects. */
    signal?: AbortSignal
    /**
     * Opens the websocket on a stream of an HTTP/2 session of its own (RFC 8441), where the application has an HTTP/2
     * server. Where that takes no websockets over HTTP/2 the call rejects.
     *
     * Default: false, HTTP/1.1.
     */
    http2?: boolean
  }
}

declare function fastifyWebsocket (...params: Parameters<WebsocketPlugin>): ReturnType<WebsocketPlugin>

export = fastifyWebsocket
