// How an upgrade comes in over HTTP/2 (RFC 8441): an extended CONNECT, which Node's compatibility layer emits as 'connect' on
// the server. On one that speaks HTTP/1.1 too, that is where its CONNECT arrives as well. What asks for no websocket is answered
// as Node would without us, unless somebody else listens, whose it is then.

import type { IncomingMessage, Server } from 'node:http'
import type { Http2Server, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import { setTimeout } from '../clock'
import type { Dispatcher } from '../dispatch'
import { FST_WS_UPGRADE_WITH_BODY } from '../errors'
import { hasBody } from './foreign'
import { Http2Upgrade } from './http2-upgrade'
import { countReaders } from './waiting'

// How long other listeners may take over an upgrade that was left to them, before it is found that nobody wants it.
const LEFT_FOR = 5000

/** Whether its sessions may be of HTTP/2. */
export function speaksHttp2 (httpServer: Server): boolean {
  return 'updateSettings' in httpServer
}

/** Call the result to listen no more. */
export function listenForConnects (httpServer: Server, dispatcher: Dispatcher): () => void {
  const server = httpServer as object as Http2Server
  // Of the sessions from now on.
  server.updateSettings({ enableConnectProtocol: true })
  server.on('connect', onConnect)
  return function stopListening () {
    server.off('connect', onConnect)
    server.updateSettings({ enableConnectProtocol: false })
  }

  function onConnect (rawRequest: Http2ServerRequest | IncomingMessage, rest: Http2ServerResponse | Duplex): void {
    const isAlone = server.listenerCount('connect') === 1
    if (!isOverHttp2(rawRequest)) {
      if (isAlone) (rest as Duplex).destroy()
      return
    }
    const response = rest as Http2ServerResponse
    if (rawRequest.headers[':protocol'] !== 'websocket') {
      if (isAlone) decline(rawRequest, response)
    } else if (isAlone) receive(rawRequest, response)
    else {
      // A tick later every other listener has had its turn, whatever the order of registration.
      process.nextTick(() => {
        if (isTaken(rawRequest)) return
        if (dispatcher.claims(rawRequest as unknown as IncomingMessage)) receive(rawRequest, response)
        else leaveToOthers(rawRequest, response)
      })
    }
  }

  // Nobody may want it after all: then it gets the answer it would have got had we been alone.
  function leaveToOthers (rawRequest: Http2ServerRequest, response: Http2ServerResponse): void {
    const { handshakeTimeout } = dispatcher.recipientOf(rawRequest as unknown as IncomingMessage)
    setTimeout(() => {
      if (!isTaken(rawRequest)) receive(rawRequest, response)
    }, Math.min(LEFT_FOR, handshakeTimeout)).unref()
  }

  function receive (rawRequest: Http2ServerRequest, response: Http2ServerResponse): void {
    const recipient = dispatcher.recipientOf(rawRequest as unknown as IncomingMessage)
    const upgrade = new Http2Upgrade(rawRequest, response, recipient)
    if (hasBody(upgrade.rawRequest)) upgrade.takeTurn(() => { upgrade.refuse(new FST_WS_UPGRADE_WITH_BODY()) })
    else recipient.receive(upgrade)
  }
}

function isOverHttp2 (rawRequest: Http2ServerRequest | IncomingMessage): rawRequest is Http2ServerRequest {
  return rawRequest.httpVersionMajor === 2
}

// RFC 9220 section 3 has it for a protocol that a server does not know. A proxy is none of what we are.
function decline ({ headers }: Http2ServerRequest, response: Http2ServerResponse): void {
  response.writeHead(headers[':protocol'] === undefined ? 405 : 501)
  response.end()
}

function isTaken ({ stream }: Http2ServerRequest): boolean {
  return stream.destroyed || stream.headersSent || countReaders(stream) > 0
}
