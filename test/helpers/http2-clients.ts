// Clients of HTTP/1.1 whose bytes travel over HTTP/2, each on a session of its own.
import { connect } from 'node:http2'
import type { Socket } from 'node:net'
import { Http2Connection } from '../../src/http2-client'
import { certificate } from './certificate'
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
