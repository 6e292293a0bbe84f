// The in-memory client for tests: the client of ws and Node's parser with memory for a network, so what the application
// sees is a real request and what the test gets is a real WebSocket. It needs no port.

import type { FastifyInstance, InjectWSOption } from 'fastify'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { WebSocket } from 'ws'
import type { ClientOptions } from 'ws'
import type { UpgradeContext } from '../types'
import { clearTimeout, setImmediate, setTimeout } from './clock'
import { FST_WS_INJECT_ABORTED, FST_WS_INJECT_FAILED, FST_WS_INJECT_REFUSED, FST_WS_INJECT_TIMEOUT } from './errors'
import { connectInMemory } from './memory'

type Headers = NonNullable<ClientOptions['headers']>
type InjectWS = FastifyInstance['injectWS']

export function createInjector (fastify: FastifyInstance, httpServer: Server): InjectWS {
  let isReady = false
  // Once loaded, ready() fails on an instance other than the root.
  fastify.addHook('onReady', async () => { isReady = true })
  return async function injectWS (path = '/', upgradeContext = {}, { onInit, onOpen, protocols, timeout, signal, ...options }: InjectWSOption = {}) {
    const context = upgradeContext as UpgradeContext
    const { offered, perMessageDeflate, headers } = readHeaders(context.headers)
    if (!isReady) await fastify.ready()
    const clientOptions: ClientOptions = {
      perMessageDeflate,
      ...options,
      headers,
      createConnection: () => connectInMemory(httpServer, context),
      finishRequest (request, client) { sendRequest(request, client, path, options) }
    }
    const client = new WebSocket(urlOf(path), protocols ?? offered, clientOptions)
    onInit?.(client)
    await opened(client, timeout, signal)
    onOpen?.(client)
    return client
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

function opened (client: WebSocket, timeout: number | undefined, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = timeout === undefined ? undefined : setTimeout(() => { fail(new FST_WS_INJECT_TIMEOUT(timeout)) }, timeout)
    client.once('open', onOpen)
    client.once('unexpected-response', onRefusal)
    client.on('error', onError)
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted === true) onAbort()

    // A message that the handler sends at once must find the listener that is added after the await.
    function onOpen (): void {
      client.off('error', onError)
      client.pause()
      setImmediate(() => { client.resume() })
      stopWaiting()
      resolve()
    }

    function onRefusal (_request: ClientRequest, response: IncomingMessage): void {
      const { statusCode = 0, headers } = response
      text(response).then(body => { fail(new FST_WS_INJECT_REFUSED({ statusCode, headers, body })) }, onError)
    }

    function onError (cause: Error): void {
      fail(new FST_WS_INJECT_FAILED(cause.message, { cause }))
    }

    function onAbort (): void {
      fail(new FST_WS_INJECT_ABORTED({ cause: signal?.reason }))
    }

    function fail (error: Error): void {
      stopWaiting()
      reject(error)
      client.terminate()
    }

    function stopWaiting (): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      client.off('open', onOpen)
    }
  })
}
