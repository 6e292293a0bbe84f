// What is sent on a socket, for options that count it. They stand behind one another in front of send(), by functions that are
// the same for all sockets; whoever writes a message to the stream past send() tells them by tellSent(), and does so only where
// nobody else wants to see what send() is given.

import { WebSocket } from 'ws'

const kPlain = Symbol('fastify-wss.plain')
const kSending = Symbol('fastify-wss.sending')

type Send = WebSocket['send'] & { [kPlain]?: true }

/** Called after each message, or fragment of one, with what send() was given. */
export type Counter = (socket: WebSocket, data: unknown, options: unknown) => void

interface Sending {
  counters: Counter[]
  send: Send
}

const SEND_OF_WS = WebSocket.prototype.send

type Counted = WebSocket & { [kSending]?: Sending }

export function countSent (socket: WebSocket, counter: Counter): void {
  const counted: Counted = socket
  counted[kSending] ??= standInFront(socket)
  counted[kSending].counters.push(counter)
}

/** A message went out without send(). */
export function tellSent (socket: WebSocket, data: unknown): void {
  const counted: Counted = socket
  if (counted[kSending] !== undefined) tell(counted, counted[kSending], data, undefined)
}

/** Whether that send() is the one of ws, or stands in front of it for no more than the order of what goes out. */
export function isPlain (send: Send): boolean {
  return send === SEND_OF_WS || send[kPlain] === true
}

export function markPlain (send: Send): void {
  Object.defineProperty(send, kPlain, { value: true })
}

/** Whether those who count are all that stands in front of it. */
export function hasPlainSend (socket: WebSocket): boolean {
  const counted: Counted = socket
  return isPlain(counted.send === sendCounted ? sendingOf(counted).send : counted.send)
}

function standInFront (socket: WebSocket): Sending {
  const sending = { counters: [], send: socket.send }
  Object.defineProperty(socket, 'send', { value: sendCounted, configurable: true, writable: true, enumerable: false })
  return sending
}

// ws drops what is sent once the closing handshake has begun, and throws for what cannot be sent.
function sendCounted (this: Counted, ...args: unknown[]): void {
  const sending = sendingOf(this)
  const isSent = this.readyState === this.OPEN
  Reflect.apply(sending.send, this, args)
  if (isSent) tell(this, sending, args[0], args[1])
}

function tell (socket: WebSocket, { counters }: Sending, data: unknown, options: unknown): void {
  for (const counter of counters) counter(socket, data, options)
}

function sendingOf (socket: Counted): Sending {
  return socket[kSending] as Sending
}
