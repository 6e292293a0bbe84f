// Extra: fastify-wss/testing. Reads what arrives on a ws socket in order, for tests.
// The rule: a message is given to exactly one reader. It goes to the one who has waited longest, else into the queue;
// a reader who gave up has left the line before the next message comes, so no message is handed to nobody.
import type { RawData, WebSocket } from 'ws'
import type { Close, Message, MessageInbox, ReadOptions } from '../../types/testing'
import { LONGEST_DELAY, clearTimeout, setTimeout } from '../clock'
import { FST_WS_TESTING_CLOSED, FST_WS_TESTING_STOPPED, FST_WS_TESTING_TIMEOUT, FST_WS_TESTING_TOO_LATE } from '../errors'

const DEFAULT_TIMEOUT = 5000
const NORMAL_CODES = [1000, 1001, 1005]

export function readMessages (socket: WebSocket, { timeout: usual = DEFAULT_TIMEOUT }: ReadOptions = {}): MessageInbox {
  if (socket.readyState === socket.CLOSED) throw new FST_WS_TESTING_TOO_LATE()

  const line = new Line()
  let detach: () => void
  const closed = new Promise<Close>(resolve => { detach = attach(socket, line, resolve) })
  return { next, [Symbol.asyncIterator]: takeTurns, closed, stop }

  function next ({ timeout = usual }: ReadOptions = {}): Promise<Message> {
    return line.take(timeout)
  }

  async function * takeTurns (): AsyncGenerator<Message, void, undefined> {
    while (true) {
      const message = await line.take(usual).catch(endOrThrow)
      if (message === undefined) return
      yield message
    }
  }

  function endOrThrow (error: Error): undefined {
    if (!line.endedNormally) throw error
  }

  function stop (): void {
    detach()
    line.end({ normal: true, toError: () => new FST_WS_TESTING_STOPPED() })
  }
}

function attach (socket: WebSocket, line: Line, report: (close: Close) => void): () => void {
  let cause: Error | undefined
  socket.on('message', onMessage)
  socket.on('error', onError)
  socket.on('close', onClose)
  return detach

  function onMessage (data: RawData, isBinary: boolean): void {
    line.put(toArrival(data, isBinary))
  }

  function onError (error: Error): void {
    cause = error
  }

  function onClose (code: number, bytes: Buffer): void {
    const reason = bytes.toString()
    const normal = cause === undefined && NORMAL_CODES.includes(code)
    detach()
    line.end({ normal, toError: () => new FST_WS_TESTING_CLOSED(code, reason, { cause }) })
    report({ code, reason })
  }

  function detach (): void {
    socket.off('message', onMessage)
    socket.off('error', onError)
    socket.off('close', onClose)
  }
}

/** The bytes of a Blob come later; its place in the line is taken all the same. */
type Arrival = Message | Promise<Message>

interface Reader {
  resolve (arrival: Arrival): void;
  reject (error: Error): void;
}

/** Why nothing arrives any more. */
interface Ending {
  normal: boolean;
  toError (): Error;
}

class Line {
  readonly #arrivals: Arrival[] = []
  readonly #readers = new Set<Reader>()
  #ending: Ending | undefined

  get endedNormally (): boolean {
    return this.#ending?.normal === true
  }

  put (arrival: Arrival): void {
    const [reader] = this.#readers
    if (reader === undefined) this.#arrivals.push(arrival)
    else reader.resolve(arrival)
  }

  take (timeout: number): Promise<Message> {
    const arrival = this.#arrivals.shift()
    if (arrival !== undefined) return Promise.resolve(arrival)
    if (this.#ending !== undefined) return Promise.reject(this.#ending.toError())
    return this.#wait(timeout)
  }

  end (ending: Ending): void {
    this.#ending ??= ending
    for (const reader of this.#readers) reader.reject(ending.toError())
  }

  #wait (timeout: number): Promise<Message> {
    // Made before the wait, so that its stack shows the line of the test that waits.
    const timeoutError = new FST_WS_TESTING_TIMEOUT(timeout)
    return new Promise((resolve, reject) => {
      const giveUp = () => reader.reject(timeoutError)
      const timer = timeout > LONGEST_DELAY ? undefined : setTimeout(giveUp, timeout)
      const leave = () => { clearTimeout(timer); this.#readers.delete(reader) }
      const reader: Reader = {
        resolve (arrival) { leave(); resolve(arrival) },
        reject (error) { leave(); reject(error) }
      }
      this.#readers.add(reader)
    })
  }
}

function toArrival (data: RawData | Blob, isBinary: boolean): Arrival {
  if (data instanceof Blob) return data.arrayBuffer().then(bytes => new ReceivedMessage(Buffer.from(bytes), isBinary))
  if (Array.isArray(data)) return new ReceivedMessage(Buffer.concat(data), isBinary)
  return new ReceivedMessage(data instanceof ArrayBuffer ? Buffer.from(data) : data, isBinary)
}

class ReceivedMessage implements Message {
  readonly data: Buffer
  readonly isBinary: boolean

  constructor (data: Buffer, isBinary: boolean) {
    this.data = data
    this.isBinary = isBinary
  }

  toString (): string {
    return this.data.toString()
  }

  json<T = unknown> (): T {
    return JSON.parse(this.toString()) as T
  }
}
