import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import fastifyWebsocket = require('./index')

type WebSocket = fastifyWebsocket.WebSocket
type RouteSocket = fastifyWebsocket.RouteSocket

type PubSubPlugin = FastifyPluginAsync<pubsub.PubSubOptions>

/** Register it behind `fastify-wss`, on the same instance. */
declare namespace pubsub {
  /**
   * What is published to which topic, for you to add to. A key may be a pattern.
   *
   * ```ts
   * declare module 'fastify-wss/pubsub' {
   *   interface Topics { [room: `room/${string}`]: { name: string, text: string } }
   * }
   * ```
   */
  export interface Topics {}

  /** What may be published to a topic: that of {@link Topics}; to one that is not there, anything. */
  export type Payload<Topic extends string> = Topic extends keyof Topics ? Topics[Topic] : unknown

  /** What a listener gets: as it was published, a value as its JSON says. `any`, as of `JSON.parse`, where {@link Topics} does not tell. */
  export type Delivered<Topic extends string> = Topic extends keyof Topics ? Topics[Topic] : any

  /** What is known of a message. */
  export interface Received {
    topic: string
    /** Its id, where the engine keeps a history. Ids of a topic grow in the order of its messages. */
    id: string | undefined
    /** Whether it goes out as a binary message (RFC 6455, section 5.6). */
    binary: boolean
  }

  export interface PublishOptions {
    /** A socket of this node that does not get the message. */
    except?: WebSocket
    /** Only to this node. Default: to all. Such a message has no id and is in no history. */
    local?: boolean
    /** Whether it goes out as a binary message. Default: true for bytes, false for all else. */
    binary?: boolean
  }

  export interface SubscribeOptions {
    /**
     * The id of the last message that the client has: those behind it are delivered first, in order, then what is published from
     * now on, without a hole or a repetition. `'0'`: all that the history has.
     *
     * Needs an engine with a history (`FST_WS_PUBSUB_NO_HISTORY`), and an id of its form (`FST_WS_PUBSUB_INVALID_ID`).
     */
    after?: string
  }

  export interface Subscribed {
    /** How many messages were delivered for `after`. */
    replayed: number
    /** Whether messages behind `after` may be missing, because the history does not go back that far. `onGap` is told too. */
    gap: boolean
  }

  /** Who subscribes to a topic, in all nodes that answered. */
  export interface Counted {
    sockets: number
    /** Nodes that answered, this one among them. */
    nodes: number
    /** Nodes that were asked, and have not answered in time. Undefined where the engine cannot tell how many were asked. */
    missing: number | undefined
  }

  export interface PubSub {
    /**
     * Sends a message to all sockets and listeners of a topic, on all nodes. In this process that has happened when the call
     * returns, unless the engine orders (`history`).
     *
     * A string goes out as text, bytes as a binary message, anything else as the text that `JSON.stringify` makes of it.
     *
     * The promise resolves when the engine has taken the message. It rejects, and nobody has to catch that, with
     * `FST_WS_PUBSUB_INVALID_TOPIC`, `FST_WS_PUBSUB_INVALID_MESSAGE`, `FST_WS_PUBSUB_TOO_LARGE`, `FST_WS_PUBSUB_FOREIGN_SOCKET`
     * (`except`): nothing was sent. With `FST_WS_PUBSUB_UNAVAILABLE`: the engine has not taken it, or it is not known whether it
     * has. There is no queue of what the engine could not take.
     *
     * @param topic A string of 1 to 1024 bytes, compared as it is: there are no wildcards.
     */
    publish<const Topic extends string> (topic: Topic, data: Payload<Topic>, options?: PublishOptions): Promise<void>

    /**
     * Calls a function for each message of a topic, behind the sockets. What it throws is logged. Messages of other nodes come as
     * soon as the engine is listening to the topic.
     *
     * @returns Ends it.
     */
    on<const Topic extends string> (topic: Topic, listener: (message: Delivered<Topic>, received: Received) => unknown): () => void

    /** The sockets of this node that subscribe to a topic. */
    sockets (topic: string): RouteSocket[]

    /** How many they are. */
    count (topic: string): number

    /**
     * How many sockets of all nodes subscribe to a topic. Rejects with `FST_WS_PUBSUB_UNAVAILABLE` while the engine is down.
     *
     * - `timeout`: milliseconds that the other nodes have to answer. Default: 1000.
     */
    countAll (topic: string, options?: { timeout?: number }): Promise<Counted>

    /**
     * Closes the sockets of all nodes that subscribe to a topic, those of this one at once. Tells how many it were. A node that
     * does not answer in time may still close its own later. Rejects as `countAll` does.
     *
     * @param code The close code (RFC 6455, section 7.4). Default: none, clients see 1005.
     * @param reason At most 123 bytes in UTF-8.
     */
    disconnect (topic: string, code?: number, reason?: string, options?: { timeout?: number }): Promise<Counted>

    /** The name of the engine. */
    readonly engine: string

    readonly stats: PubSubStats
  }

  /** Numbers of this node, since its start where they count something. */
  export interface PubSubStats {
    /** Topics that somebody here subscribes or listens to. */
    topics: number
    published: number
    /** Messages from other nodes. */
    received: number
    /** Times that `onGap` was told. */
    gaps: number
    /** Messages that came twice, and were delivered once. */
    duplicates: number
    /** What came on a channel of ours and was not ours. */
    foreign: number
    /** Whether the engine works now. */
    isUp: boolean
  }

  /** Why messages may be missing. */
  export interface Gap {
    /**
     * - `reconnected`: the engine was away.
     * - `hole`: a number is missing in the sequence of a node. It is seen with the node's next message of that topic.
     * - `history`: what was asked for by `after` is not there any more.
     */
    reason: 'reconnected' | 'hole' | 'history'
    /** Whom it concerns, where it is one socket: that which asked by `after`. */
    socket: RouteSocket | undefined
  }

  export interface PubSubOptions {
    /** What carries messages between nodes. Default: `memory()`, which is this process. */
    engine?: Engine

    /**
     * Whether a socket may subscribe to a topic; by a promise too. `false` and what it throws refuse: `subscribe` rejects with
     * `FST_WS_PUBSUB_REFUSED`, the latter as its `cause`. Where it is given, each open connection keeps its request alive.
     *
     * Default: everybody.
     */
    onSubscribe?: (socket: RouteSocket, topic: string, request: FastifyRequest) => unknown

    /**
     * Messages of these topics may be missing, here, from now back to the last one that came; `true`: of any topic. Have the
     * clients fetch anew what they show. What it throws is logged.
     */
    onGap?: (topics: string[] | true, gap: Gap) => unknown

    /**
     * What goes out to the sockets, on each node once for each message. It gets what was published, a value as its JSON says.
     * Text goes out as text and bytes as a binary message unless `binary` said otherwise.
     *
     * Default: what was published; a value as JSON.
     */
    serialize?: (message: any, received: Received) => string | Uint8Array

    /**
     * Ends a socket that reads too slowly, see {@link fastifyWebsocket.SlowConsumerOptions}. That of its route wins. `false`: never.
     *
     * Default: over 1 MiB for 3 seconds, or over 16 MiB at once, closes with 1013.
     */
    slowConsumer?: boolean | fastifyWebsocket.SlowConsumerOptions

    /**
     * Compresses a message once for all clients with which `permessage-deflate` was agreed without context takeover on the side
     * of the server (`perMessageDeflate: 'safe'`, or `serverNoContextTakeover`); others get it uncompressed.
     *
     * Default: true.
     */
    compress?: boolean | CompressOptions

    /** Bytes that a published message may have. Default: 1048576. */
    maxPayload?: number

    /** Milliseconds that `subscribe` waits for the engine, and the engine at the start. Default: 5000. */
    timeout?: number

    /** Milliseconds that a topic which nobody here wants any more stays subscribed to in the engine. Default: 1000. */
    linger?: number
  }

  export interface CompressOptions {
    /** Bytes from which on a message is compressed. Default: 1024. */
    threshold?: number
    /** Bytes up to which it is: the process does nothing else meanwhile (64 KiB: 0.3 ms). Default: 65536. */
    limit?: number
  }

  /**
   * Carries messages between nodes. See `fastify-wss/pubsub/conformance` for what it has to hold, as tests. The hub sees to all
   * else: it asks one thing at a time for each topic, drops its own messages as they come back and those that come twice, and
   * sees holes.
   *
   * Topics are strings of 1 to 1024 bytes. The empty one is the hub's own: its messages are never kept.
   */
  export interface Engine {
    readonly name: string

    /**
     * - `'local'`: a hub delivers what it publishes in its own process at once, and drops it when it comes back.
     * - `'engine'`: the hub waits for it to come back, as any other: all nodes see one order. Needed for a history.
     */
    readonly ordering: 'local' | 'engine'

    /** True where there are no other nodes: nothing is published or subscribed to. Not with a history. */
    readonly alone?: boolean

    /** What there is to look up of the past. */
    readonly history?: History

    /** Begins. Rejects where there is nothing to connect to, unless that may come later. */
    start (context: EngineContext): Promise<void> | void

    /** Resolves when everything that is published from now on will be delivered. Pending while the engine is down. */
    subscribe (topic: string): Promise<void>

    unsubscribe (topic: string): Promise<void>

    /**
     * In the order of the calls. Rejects at once while the engine is down, and when it goes down before the message is known to
     * be taken; never sends it again later.
     *
     * @returns How many nodes it was passed on to, where that is known.
     */
    publish (topic: string, message: Uint8Array): Promise<number | undefined>

    /** Ends, and leaves nothing behind. */
    close (): Promise<void>
  }

  export interface EngineContext {
    /** A message of a topic that was subscribed to. `id` where there is a history. */
    deliver (topic: string, message: Uint8Array, id?: string): void

    /**
     * `up` when it works, with `gap: true` where messages may have been lost since it last did: all topics are subscribed to again
     * by then. `down` when it does not.
     */
    status (status: EngineStatus): void

    /** Milliseconds that a start may take. */
    readonly timeout: number
  }

  export interface EngineStatus {
    state: 'up' | 'down'
    gap?: boolean
    error?: Error
  }

  /** The messages of the past, by ids that grow: `<milliseconds>-<number>`, as those of Redis streams. */
  export interface History {
    /** The messages behind an id, oldest first, at most so many; fewer mean that there are no more. */
    read (topic: string, after: string, limit: number): Promise<HistoryPage>

    /** The id of the newest message; `'0-0'` where there is none. */
    last (topic: string): Promise<string>
  }

  export interface HistoryPage {
    messages: Array<{ id: string, message: Uint8Array }>
    /** Whether nothing is missing between `after` and the first of them, or the end. */
    isComplete: boolean
  }

  export interface HistoryOptions {
    /** Messages of each topic that are kept. Default: 100. */
    maxLength?: number
    /** Milliseconds that they are kept. Default: 300000, five minutes. */
    maxAge?: number
  }

  export interface MemoryOptions {
    /** Keeps the last messages of each topic, for `after`. `true`: 100, for five minutes. Default: false. */
    history?: boolean | HistoryOptions
  }

  /** The engine that is this process. */
  export function memory (options?: MemoryOptions): Engine

  export const pubsub: PubSubPlugin
  export { pubsub as default }
}

declare module './index' {
  interface SocketAdditions {
    /**
     * From when the promise has resolved, everything that is published to the topic is sent to this socket, in order, and in
     * order with what is sent by `send()`; or `onGap` is told. Subscribing twice is subscribing once. It ends with the
     * connection.
     *
     * In one process without `onSubscribe` and `after` it holds as soon as the call returns.
     *
     * Rejects, and nobody has to catch that, with `FST_WS_PUBSUB_INVALID_TOPIC`, `FST_WS_PUBSUB_REFUSED` (`onSubscribe`),
     * `FST_WS_PUBSUB_NOT_OPEN` (the socket is closing or closed), `FST_WS_PUBSUB_CANCELLED` (`unsubscribe` was called meanwhile),
     * `FST_WS_PUBSUB_TIMEOUT` (the engine was not there in time), `FST_WS_PUBSUB_UNAVAILABLE` (it refused, or broke off),
     * and with those of `after`. Then the socket is not subscribed.
     */
    subscribe (topic: string, options?: pubsub.SubscribeOptions): Promise<pubsub.Subscribed>

    /** When it returns nothing of this topic is queued any more. Does nothing where there is no subscription. */
    unsubscribe (topic: string): void

    /** What it subscribes to, in the order in which it did. */
    readonly topics: string[]
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Of `fastify-wss/pubsub`. */
    pubsub: pubsub.PubSub
  }
}

declare function pubsub (...params: Parameters<PubSubPlugin>): ReturnType<PubSubPlugin>

export = pubsub
