// The network of injectWS: a new connection that is only memory, between a client and the HTTP server of the application.
// The server's end goes through a parser of its own, so that the application need not listen, and nothing depends on
// which kind of server it has. The parser is set up as the server is; what it makes of a request, the server gets.

import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import type { Http2ServerRequest } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Server as TlsServer } from 'node:tls'
import type { UpgradeContext } from '../types'
import { Http2Connection } from './http2-client'
import { WireEnd } from './wire'

/** The client's end. What the application may read of a request or its socket is set as the context says. */
export function connectInMemory (httpServer: HttpServer, context: UpgradeContext): Socket {
  const [clientEnd, serverEnd] = WireEnd.pair()
  serverEnd.encrypted = httpServer instanceof TlsServer
  const parser = createParser(httpServer)
  parser.on('upgrade', onUpgrade)
  parser.on('request', onRequest)
  if (httpServer.listenerCount('clientError') > 0) parser.on('clientError', onClientError)
  parser.emit('connection', serverEnd)
  // Not all of a net.Socket, but all that HTTP and ws use of one.
  return clientEnd as Duplex as Socket

  function onUpgrade (rawRequest: IncomingMessage, _socket: Duplex, head: Buffer): void {
    applyContext(rawRequest)
    if (!httpServer.emit('upgrade', rawRequest, serverEnd, head)) serverEnd.destroy()
  }

  // The test sent something else than an upgrade, or the server declines upgrades.
  function onRequest (rawRequest: IncomingMessage, rawResponse: ServerResponse): void {
    applyContext(rawRequest)
    httpServer.emit('request', rawRequest, rawResponse)
  }

  function onClientError (error: Error): void {
    httpServer.emit('clientError', error, serverEnd)
  }

  function applyContext (rawRequest: IncomingMessage): void {
    const { headers, method, url, httpVersion, socket, ...rest } = context
    Object.assign(serverEnd, socket)
    Object.assign(rawRequest, rest)
  }
}

/** The same over HTTP/2: a session for this one client. What the application reads of its socket is memory. */
export function connectInMemoryOverHttp2 (httpServer: HttpServer, context: UpgradeContext): Socket {
  const [clientEnd, serverEnd] = WireEnd.pair()
  const isSecure = httpServer instanceof TlsServer
  const parser = createHttp2Server()
  parser.updateSettings({ enableConnectProtocol: httpServer.listenerCount('connect') > 0 })
  parser.on('session', session => { httpServer.emit('session', session) })
  parser.on('stream', onStream)
  parser.emit('connection', serverEnd)
  const session = connect(`http${isSecure ? 's' : ''}://localhost`, { createConnection: () => clientEnd })
  return new Http2Connection(session) as Duplex as Socket

  // What the server makes of it, it gets at once.
  function onStream (...args: unknown[]): void {
    httpServer.prependOnceListener('connect', applyContext)
    httpServer.emit('stream', ...args)
  }

  function applyContext (rawRequest: Http2ServerRequest): void {
    const { headers, method, url, httpVersion, socket, ...rest } = context
    const { remoteAddress, remoteFamily, remotePort } = serverEnd
    Object.assign(rawRequest.stream, { remoteAddress, remoteFamily, remotePort, encrypted: isSecure }, socket)
    Object.assign(rawRequest, rest)
  }
}

// What decides how a request is parsed. Node takes these as options of createServer(), and reads them as properties of
// the server, where only some are documented; a server that keeps none of them has Node's defaults.
const PARSER_SETTINGS = ['maxHeaderSize', 'insecureHTTPParser', 'httpValidation', 'joinDuplicateHeaders', 'requireHostHeader', 'maxHeadersCount', 'shouldUpgradeCallback', 'timeout']

function createParser (httpServer: HttpServer): HttpServer {
  const parser = createServer()
  for (const name of PARSER_SETTINGS) {
    const setting: unknown = Reflect.get(httpServer, name)
    if (setting !== undefined) Reflect.set(parser, name, setting)
  }
  return parser
}
