// Clients over HTTP/2: those of HTTP/1.1 whose bytes travel on a stream, each on a session of its own, and Node's client.
import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader, type OutgoingHttpHeaders } from 'node:http2'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { Http2Connection } from '../../src/http2-client'
import { ByteReader } from './byte-reader'
import { certificate } from './certificate'
import { type Frame, parseFrame } from './frames'
import { LIMIT, within } from './limit'
import { RawClient } from './raw-client'

export interface Http2Target {
  url: (path?: string) => string;
}

export function connectHttp2 (target: Http2Target): Http2Connection {
  return new Http2Connection(connect(target.url(''), { ca: certificate.cert }))
}

/** A reset is that of the stream (RST_STREAM). */
export function rawOverHttp2 (target: Http2Target): RawClient {
  const connection = connectHttp2(target)
  const socket = Object.assign(connection, { resetAndDestroy: () => connection.destroy() }) as unknown as Socket
  return new RawClient(socket, socket)
}

/** A session of Node's client, once the server has said what it takes; destroyed at the test's end. */
export async function openSession (t: Test, target: Http2Target): Promise<ClientHttp2Session> {
  const session = connect(target.url(''), { ca: certificate.cert })
  session.on('error', () => {})
  t.teardown(() => { session.destroy() })
  await within(once(session, 'remoteSettings'), 'the settings')
  return session
}

/** An extended CONNECT that asks for a websocket, less or more what `headers` says. */
export function connectStream (session: ClientHttp2Session, path = '/', headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  const all = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':authority': 'localhost', ':path': path, 'sec-websocket-version': '13', ...headers }
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
  const stream = session.request(given, { endStream: false })
  stream.on('error', () => {})
  return stream
}

export type Answer = IncomingHttpHeaders & IncomingHttpStatusHeader

export async function answerTo (stream: ClientHttp2Stream): Promise<Answer> {
  const [headers] = await within(once(stream, 'response'), 'the response')
  return headers
}

/** The whole of a refusal, or of any response. */
export async function responseTo (stream: ClientHttp2Stream): Promise<{ status: number | undefined, headers: Answer, body: string }> {
  const headers = await answerTo(stream)
  return { status: headers[':status'], headers, body: await within(text(stream), 'the body') }
}

/** With which code a stream is closed. */
export async function closed (stream: ClientHttp2Stream): Promise<number> {
  if (!stream.destroyed) await within(once(stream, 'close'), 'the close')
  return stream.rstCode
}

/** The frames that arrive on a stream, one by one. */
export function framesOf (stream: ClientHttp2Stream): () => Promise<Frame> {
  const reader = new ByteReader()
  stream.on('data', bytes => { reader.receive(bytes) })
  stream.on('close', () => { reader.end() })
  return async () => await reader.turn(LIMIT, () => reader.read('a frame', parseFrame))
}
