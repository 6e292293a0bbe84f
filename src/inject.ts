// The in-memory client for tests: the client of ws and Node's parser with memory for a network, so what the application
// sees is a real request and what the test gets is a real WebSocket. It needs no port.

import type { FastifyInstance, InjectWSOption } from 'fastify'
import type { ClientRequest, IncomingHttpHeaders, Server } from 'node:http'
import { WebSocket } from 'ws'
import type { ClientOptions } from 'ws'
import type { UpgradeContext } from '../types'
import { connectInMemory, connectInMemoryOverHttp2 } from './memory'
import { opened } from './opening'
import { createReadiness } from './ready'

type Headers = NonNullable<ClientOptions['headers']>
type InjectWS = FastifyInstance['injectWS']

export function createInjector (fastify: FastifyInstance, httpServer: Server): InjectWS {
  const whenReady = createReadiness(fastify)
  return async function injectWS (path = '/', upgradeContext = {}, { onInit, onOpen, protocols, timeout, signal, http2 = false, ...options }: InjectWSOption = {}) {
    const context = upgradeContext as UpgradeContext
    const { offered, perMessageDeflate, headers } = readHeaders(context.headers)
    const ready = whenReady()
    if (ready !== undefined) await ready
    const client = new WebSocket(urlOf(path), protocols ?? offered, {
      perMessageDeflate,
      ...options,
      headers,
      createConnection: () => http2 ? connectInMemoryOverHttp2(httpServer, context) : connectInMemory(httpServer, context),
      finishRequest (request, client) { sendRequest(request, client, path, options) }
    })
    return await opened(client, { onInit, onOpen, timeout, signal })
  }
}

// What the client writes itself is taken from the headers; the protocols and the compression they ask for become options.
function readHeaders (given: IncomingHttpHeaders = {}): { offered: string[], perMessageDeflate: boolean, headers: Headers } {
  const lowerCased = Object.entries(given).map(([name, value]) => [name.toLowerCase(), value])
  const {
    connection, upgrade, 'sec-websocket-key': key, 'sec-websocket-version': version,
    'sec-websocket-protocol': offer = '', 'sec-websocket-extensions': extensions = '',
    ...headers
  }: Headers = Object.fromEntries(lowerCased.filter(([, value]) => value !== undefined))
  return {
    offered: String(offer).split(',').map(protocol => protocol.trim()).filter(Boolean),
    perMessageDeflate: String(extensions).includes('permessage-deflate'),
    headers
  }
}

function urlOf (path: string): string {
  return `ws://localhost/${path.replace(/^\/|#.*$/g, '')}`
}

// A URL is normalised (dot segments, encoding); a request line is what the test says, as long as HTTP allows it.
function sendRequest (request: ClientRequest, client: WebSocket, path: string, { finishRequest }: ClientOptions): void {
  if (/^\/[\x21-\x7e]*$/.test(path)) request.path = path
  if (finishRequest) finishRequest(request, client)
  else request.end()
}
