// What clients may send, from almost right to nonsense. Bytes are strings of latin1, which print well in a counterexample.
import fc, { type Arbitrary } from 'fast-check'
import { closeFrame, frame, type FrameOptions } from '../helpers/frames'
import { type Headers, requestHead, upgradeHead } from '../helpers/requests'
import { ECHOES, ENDINGS, OTHERS } from './application'

export type Leave = 'fin' | 'reset' | 'destroy'

/** One client: what it sends, in which pieces, how much of it before it leaves, and how it leaves. */
export interface Visit {
  bytes: string;
  /** Where the bytes are cut into writes of their own, as parts of the whole. */
  cuts: number[];
  /** Milliseconds between two writes, and before it leaves. */
  pause: number;
  /** The part that is sent at all. */
  until: number;
  leave: Leave;
}

/** A message that a server must answer, as a client may put it on the wire. */
export interface Message {
  opcode: 'text' | 'binary';
  payload: string;
  frames: string;
}

const path = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...ECHOES, ...ENDINGS) },
  { weight: 6, arbitrary: fc.constantFrom(...OTHERS) },
  { weight: 2, arbitrary: fc.constantFrom('/%', '/%zz', '/params/%E0%A4%A', '/wild/%', '*', '//echo', '/echo?a=%', '/echo/', 'http://a/echo', '') },
  { weight: 1, arbitrary: fc.integer({ min: 90, max: 20_000 }).map(length => `/params/${'x'.repeat(length)}`) },
  { weight: 1, arbitrary: latin1(40).map(text => `/${text}`) }
)

const method = fc.oneof(
  { weight: 8, arbitrary: fc.constant('GET') },
  { weight: 3, arbitrary: fc.constantFrom('HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'CONNECT', 'PRI', 'get') },
  { weight: 1, arbitrary: latin1(8) }
)

const SOUP: Record<string, string[]> = {
  Connection: ['Upgrade', 'keep-alive, Upgrade', 'upgrade, close', 'keep-alive', 'close', 'Upgrade, HTTP2-Settings', ''],
  Upgrade: ['websocket', 'WebSocket', 'h2c', 'websocket, h2c', 'h2c, foo/1', 'TLS/1.0', '', ','],
  'Sec-WebSocket-Version': ['13', '8', '0', 'x', '13, 8'],
  'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'short', ''],
  'Sec-WebSocket-Protocol': ['a', 'a, b', 'a, a', ',,', '@'],
  'Sec-WebSocket-Extensions': ['permessage-deflate', 'permessage-deflate; client_max_window_bits', 'permessage-deflate; server_max_window_bits=99', ';', 'x'],
  Host: ['localhost', 'other.example', '', 'a:b:c'],
  Expect: ['100-continue', 'the unexpected'],
  'Content-Length': ['0', '5', '70000', '-1', 'x'],
  'Transfer-Encoding': ['chunked', 'gzip', 'chunked, chunked'],
  'Content-Type': ['application/json', 'text/plain', 'none'],
  'HTTP2-Settings': ['AAMAAABkAARAAAAAAAIAAAAA'],
  Origin: ['http://localhost', 'null'],
  Cookie: ['a=1; b', '=']
}

const headers: Arbitrary<Headers> = fc.array(fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...Object.entries(SOUP)).chain(([name, values]) => fc.constantFrom(...values, undefined).map(value => [name, value] as const)) },
  { weight: 1, arbitrary: fc.tuple(latin1(12), latin1(60)) }
), { maxLength: 6 }).map(entries => Object.fromEntries(entries))

const body = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom('{"a":1}', '5\r\nhello\r\n0\r\n\r\n', 'zz\r\n', '0\r\n\r\n') },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 70_000 }).map(length => 'b'.repeat(length)) }
)

const websocketUpgrade = path.map(target => upgradeHead(target))

const upgrade = fc.oneof(
  { weight: 2, arbitrary: websocketUpgrade },
  { weight: 1, arbitrary: fc.tuple(path, headers).map(([target, extra]) => upgradeHead(target, extra)) }
)

const request = fc.tuple(method, path, headers, body).map(([verb, target, extra, content]) => requestHead(verb, target, extra) + content)

const foreign = fc.tuple(fc.constantFrom('GET', 'POST'), fc.constantFrom('/plain', '/slow', '/upload', '/echo'), fc.constantFrom('h2c', 'TLS/1.0', 'foo'), fc.nat(3000), fc.boolean())
  .map(([verb, target, protocol, size, isChunked]) => {
    const content = 'c'.repeat(size)
    const length = isChunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': String(size) }
    const chunks = size === 0 ? '0\r\n\r\n' : `${size.toString(16)}\r\n${content}\r\n0\r\n\r\n`
    return requestHead(verb, target, { Connection: 'Upgrade', Upgrade: protocol, 'Content-Type': 'text/x', ...length }) + (isChunked ? chunks : content)
  })

const frameOptions: Arbitrary<FrameOptions> = fc.record({
  fin: mostly(true, fc.boolean()),
  rsv: mostly(0, fc.nat(7)),
  mask: mostly(true, fc.boolean()),
  length: mostly<number | undefined>(undefined, fc.oneof(fc.nat(200_000), fc.constantFrom(2 ** 31, 2 ** 33, 2 ** 53, 2 ** 63)))
})

const payload = fc.oneof(
  { weight: 6, arbitrary: latin1(150) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 140_000 }).map(length => 'p'.repeat(length)) }
)

/** A frame, more often wrong than right. */
export const anyFrame: Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(mostly(1, fc.nat(15)), payload, frameOptions).map(([opcode, content, choice]) => latin1Of(frame(opcode, Buffer.from(content, 'latin1'), choice))) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(65_535), latin1(150)).map(([code, reason]) => latin1Of(closeFrame(code, reason))) },
  { weight: 1, arbitrary: latin1(80) }
)

/** Upgrades, not all of them to a websocket, with frames that do not wait for the answer. */
export const upgradeWithFrames = withFrames(upgrade)

/** As `upgradeWithFrames`, without faults in the headers. */
export const websocketUpgradeWithFrames = withFrames(websocketUpgrade)

/** Requests of all kinds behind each other on one connection, and what is no request. */
export const anyRequests: Arbitrary<string> = fc.array(fc.oneof(
  { weight: 4, arbitrary: upgrade },
  { weight: 3, arbitrary: request },
  { weight: 2, arbitrary: foreign },
  { weight: 1, arbitrary: anyFrame }
), { minLength: 1, maxLength: 4 }).map(all => all.join(''))

/** A correct message in one or more frames, with pings in between where it is fragmented. */
export const message: Arbitrary<Message> = fc.tuple(
  fc.constantFrom('text' as const, 'binary' as const),
  fc.oneof({ weight: 5, arbitrary: latin1(100, 0x7f) }, { weight: 1, arbitrary: fc.integer({ min: 100, max: 90_000 }).map(length => 'm'.repeat(length)) }),
  fc.array(part(), { maxLength: 3 }),
  fc.boolean()
).map(([opcode, content, cuts, isPinging]) => {
  const pieces = split(content, cuts)
  const frames = pieces.map((piece, index) => frame(index === 0 ? opcode : 'continuation', piece, { fin: index === pieces.length - 1 }))
  return { opcode, payload: content, frames: frames.map(latin1Of).join(isPinging ? latin1Of(frame('ping', 'p')) : '') }
})

export function visit (bytes: Arbitrary<string>): Arbitrary<Visit> {
  return fc.record({
    bytes,
    cuts: fc.array(part(), { maxLength: 4 }),
    pause: mostly(0, fc.nat(25)),
    until: mostly(1, part()),
    leave: fc.constantFrom('fin', 'reset', 'destroy')
  })
}

function withFrames (heads: Arbitrary<string>): Arbitrary<string> {
  return fc.tuple(heads, fc.array(anyFrame, { maxLength: 4 })).map(([head, frames]) => head + frames.join(''))
}

/** The pieces of a string that is cut at these parts of its length. */
export function split (text: string, cuts: number[]): string[] {
  const ends = [...cuts.map(cut => Math.round(cut * text.length)).sort((a, b) => a - b), text.length]
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end))
}

export function part (): Arbitrary<number> {
  return fc.integer({ min: 0, max: 1000 }).map(value => value / 1000)
}

function mostly<T> (usual: T, other: Arbitrary<T>): Arbitrary<T> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other })
}

function latin1 (maxLength: number, highest = 0xff): Arbitrary<string> {
  return fc.array(fc.integer({ min: 0, max: highest }), { maxLength }).map(codes => String.fromCharCode(...codes))
}

function latin1Of (bytes: Buffer): string {
  return bytes.toString('latin1')
}
