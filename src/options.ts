// Stage 0: what the application asked for, checked once, at registration.
// A wrong option is a rejected register that names the option; after this file nobody checks one again. Options that a route
// may have too are read in policies.ts.

import type { FastifyInstance } from 'fastify'
import type { IncomingMessage, Server } from 'node:http'
import type { ServerOptions } from 'ws'
import type { WebsocketPluginOptions } from '../types'
import { BOOLEAN, check, checkKeys, CLOSE_CODE, COUNT, DELAY, fail, FUNCTION, OBJECT, REASON, SIZE } from './check'
import type { Rule } from './check'
import { FST_WS_INVALID_ERROR_HANDLER, FST_WS_INVALID_PRE_CLOSE, FST_WS_NO_SERVER } from './errors'
import { SAFE_DEFLATE } from './safe-deflate'

export interface Settings {
  httpServer: Server
  websocketServerOptions: ServerOptions
  errorHandler: WebsocketPluginOptions['errorHandler']
  preClose: WebsocketPluginOptions['preClose']
  shouldHandle: ((rawRequest: IncomingMessage) => boolean) | undefined
  handshakeTimeout: number
  strictRoutes: boolean
  http2: boolean
  shutdown: { code: number | undefined, reason: string | undefined, timeout: number, batch: number, interval: number }
}

const HANDSHAKE_TIMEOUT = 30_000
const SHUTDOWN_TIMEOUT = 10_000
const SHUTDOWN_INTERVAL = 1000

const CLASS: Rule = { ...FUNCTION, text: 'must be a class that extends WebSocket of ws' }
const COMPRESSION: Rule = { isValid: value => value === 'safe' || typeof value === 'boolean' || typeof value === 'object', text: "must be a boolean, 'safe' or an object" }
const SERVER: Rule = {
  isValid: value => typeof value === 'object' && value !== null && 'on' in value && 'removeListener' in value,
  text: 'must be an HTTP or HTTPS server'
}
const NOTHING: Rule = { isValid: () => false, text: 'cannot be used: the application listens, with fastify.listen()' }

export function readOptions (fastify: FastifyInstance, given: WebsocketPluginOptions): Settings {
  if (given.errorHandler && typeof given.errorHandler !== 'function') throw new FST_WS_INVALID_ERROR_HANDLER()
  if (given.preClose && typeof given.preClose !== 'function') throw new FST_WS_INVALID_PRE_CLOSE()
  check('shouldHandle', given.shouldHandle, FUNCTION)
  check('handshakeTimeout', given.handshakeTimeout, DELAY)
  check('strictRoutes', given.strictRoutes, BOOLEAN)
  check('http2', given.http2, BOOLEAN)
  const { server, ...websocketServerOptions } = readWebsocketServerOptions(fastify, given.options)
  return {
    httpServer: (server ?? fastify.server) as Server,
    websocketServerOptions,
    errorHandler: given.errorHandler || undefined,
    preClose: given.preClose || undefined,
    shouldHandle: given.shouldHandle ?? undefined,
    handshakeTimeout: given.handshakeTimeout ?? HANDSHAKE_TIMEOUT,
    strictRoutes: given.strictRoutes ?? false,
    http2: given.http2 ?? true,
    shutdown: readShutdown(given.shutdown)
  }
}

function readWebsocketServerOptions (fastify: FastifyInstance, given: WebsocketPluginOptions['options']): ServerOptions {
  const options = { ...given } as ServerOptions
  check('options', given, OBJECT)
  if (options.noServer) throw new FST_WS_NO_SERVER()
  check('options.server', options.server, SERVER)
  check('options.verifyClient', options.verifyClient, FUNCTION)
  check('options.handleProtocols', options.handleProtocols, FUNCTION)
  check('options.WebSocket', options.WebSocket, CLASS)
  check('options.maxPayload', options.maxPayload, SIZE)
  check('options.perMessageDeflate', options.perMessageDeflate, COMPRESSION)
  check('options.port', options.port, NOTHING)
  if (options.path) fastify.log.warn("ws server path option shouldn't be provided, use a route instead")
  if (given?.perMessageDeflate === 'safe') options.perMessageDeflate = SAFE_DEFLATE
  return { ...options, noServer: true }
}

function readShutdown (given: WebsocketPluginOptions['shutdown']): Settings['shutdown'] {
  check('shutdown', given, OBJECT)
  checkKeys('shutdown', given ?? {}, ['code', 'reason', 'timeout', 'batch', 'interval'])
  const { code, reason, timeout, batch, interval } = given ?? {}
  check('shutdown.code', code, CLOSE_CODE)
  check('shutdown.reason', reason, REASON)
  if (reason != null && code == null) fail('shutdown.reason', 'needs shutdown.code', reason)
  check('shutdown.timeout', timeout, DELAY)
  check('shutdown.batch', batch, COUNT)
  check('shutdown.interval', interval, DELAY)
  if (interval != null && batch == null) fail('shutdown.interval', 'needs shutdown.batch', interval)
  return {
    code: code ?? undefined,
    reason: reason ?? undefined,
    timeout: timeout ?? SHUTDOWN_TIMEOUT,
    batch: batch ?? Infinity,
    interval: interval ?? SHUTDOWN_INTERVAL
  }
}
