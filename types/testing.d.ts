import type { WebSocket } from 'ws'

/**
 * Reads what arrives on a `ws` socket, in order, one promise per message.
 *
 * Listens from this call on, so make it at once: beside `new WebSocket()`, in `onInit` of `injectWS()`, or right after
 * `await injectWS()`. While the inbox is attached, an `error` of the socket does not crash the process: it becomes the
 * `cause` of the `FST_WS_TESTING_CLOSED` errors.
 *
 * ```js
 * const inbox = readMessages(new WebSocket(url))
 * socket.send('hello')
 * t.assert.equal(String(await inbox.next()), 'hello')
 * ```
 *
 * @param socket Any socket of `ws` that is connecting, open or closing, on the side of the client or the server.
 * @throws FST_WS_TESTING_TOO_LATE The socket is closed already: nothing can arrive any more, not even the close.
 */
export function readMessages (socket: WebSocket, options?: ReadOptions): MessageInbox

export interface ReadOptions {
  /**
   * How long one `next()`, or one turn of `for await`, waits for a message. In milliseconds of real time, whatever
   * timers a test has mocked; `Infinity` waits without a limit. Default: 5000.
   */
  timeout?: number;
}

/** The messages of one socket, in the order in which they arrived. Each is given out once. */
export interface MessageInbox extends AsyncIterable<Message> {
  /**
   * The next message: at once if one is there, else as soon as it comes. Several calls at a time are served in the
   * order of the calls. Messages that came before the socket closed can still be read after it.
   *
   * Rejects with one of these, told apart by `error.code`:
   * - `FST_WS_TESTING_TIMEOUT`: no message within `timeout`. One that comes later is kept for the next call.
   * - `FST_WS_TESTING_CLOSED`: the socket closed, and every message has been read. The message has the close code and
   *   the reason, `cause` the socket's error if there was one.
   * - `FST_WS_TESTING_STOPPED`: `stop()` was called, and every message has been read.
   *
   * @param options The time limit for this call, instead of the inbox's.
   */
  next (options?: ReadOptions): Promise<Message>;

  /**
   * `for await (const message of inbox)`. The loop ends after `stop()`, and when the socket closes normally: with the
   * code 1000, 1001 or 1005 (RFC 6455, section 7.4.1) and without an error. Whatever else ends the socket, and a turn
   * that takes longer than `timeout`, makes the loop throw what `next()` rejects with. Leaving the loop early loses
   * nothing: what has not been read stays for `next()` or another loop.
   */
  [Symbol.asyncIterator] (): AsyncGenerator<Message, void, undefined>;

  /**
   * How the socket closed. Never rejects. Without a close frame the code is 1006, with an empty one 1005 (RFC 6455,
   * section 7.1.5). Stays pending when `stop()` comes before the close.
   */
  readonly closed: Promise<Close>;

  /**
   * Removes every listener of the inbox, that for `error` too. Messages that have arrived can still be read; waiting
   * `next()` calls reject with `FST_WS_TESTING_STOPPED`. A second call does nothing.
   */
  stop (): void;
}

export interface Message {
  /** The payload, whatever the socket's `binaryType` is ('nodebuffer', 'arraybuffer', 'fragments' or 'blob'). */
  readonly data: Buffer;
  /** Whether it came as a binary message and not as text. */
  readonly isBinary: boolean;
  /** The payload as UTF-8 text; what `String(message)` and template literals give. */
  toString (): string;
  /**
   * The payload, parsed as JSON. `T` is what you expect it to be: it is not checked.
   *
   * @throws SyntaxError The payload is not JSON.
   */
  json<T = unknown> (): T;
}

export interface Close {
  readonly code: number;
  readonly reason: string;
}
