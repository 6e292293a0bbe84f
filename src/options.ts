// Stage 0: what the application asked for, checked once, at registration.
// A wrong option is a rejected register that names the option; after this file nobody checks one again.

import type { FastifyInstance } from 'fastify'
import type { IncomingMessage, Server } from 'node:http'
import type { ServerOptions } from 'ws'
import type { WebsocketPluginOptions } from '../types'
import { FST_WS_INVALID_ERROR_HANDLER, FST_WS_INVALID_OPTION, FST_WS_INVALID_PRE_CLOSE, FST_WS_NO_SERVER } from './errors'

export interface Settings {
  httpServer: Server
  websocketServerOptions: ServerOptions
  errorHandler: WebsocketPluginOptions['errorHandler']
  preClose: WebsocketPluginOptions['preClose']
  shouldHandle: ((rawRequest: IncomingMessage) => boolean) | undefined
  handshakeTimeout: number
  shutdown: { code: number | undefined, reason: string | undefined, timeout: number }
}

const HANDSHAKE_TIMEOUT = 30_000
const SHUTDOWN_TIMEOUT = 10_000
// The longest delay that a timer of Node can wait.
const LONGEST = 2 ** 31 - 1

export function readOptions (fastify: FastifyInstance, given: WebsocketPluginOptions): Settings {
  if (given.errorHandler && typeof given.errorHandler !== 'function') throw new FST_WS_INVALID_ERROR_HANDLER()
  if (given.preClose && typeof given.preClose !== 'function') throw new FST_WS_INVALID_PRE_CLOSE()
  check('shouldHandle', given.shouldHandle, isFunction, 'must be a function')
  check('handshakeTimeout', given.handshakeTimeout, isDelay, 'must be a number of milliseconds above 0')
  const { server, ...websocketServerOptions } = readWebsocketServerOptions(fastify, given.options)
  return {
    httpServer: (server ?? fastify.server) as Server,
    websocketServerOptions,
    errorHandler: given.errorHandler || undefined,
    preClose: given.preClose || undefined,
    shouldHandle: given.shouldHandle ?? undefined,
    handshakeTimeout: given.handshakeTimeout ?? HANDSHAKE_TIMEOUT,
    shutdown: readShutdown(given.shutdown)
  }
}

function readWebsocketServerOptions (fastify: FastifyInstance, given: WebsocketPluginOptions['options']): ServerOptions {
  const options: ServerOptions = { ...given }
  check('options', given, isObject, 'must be an object')
  if (options.noServer) throw new FST_WS_NO_SERVER()
  check('options.server', options.server, isServer, 'must be an HTTP or HTTPS server')
  check('options.verifyClient', options.verifyClient, isFunction, 'must be a function')
  check('options.handleProtocols', options.handleProtocols, isFunction, 'must be a function')
  check('options.WebSocket', options.WebSocket, isFunction, 'must be a class that extends WebSocket of ws')
  check('options.maxPayload', options.maxPayload, isSize, 'must be a number of bytes')
  check('options.perMessageDeflate', options.perMessageDeflate, isSwitch, 'must be a boolean or an object')
  check('options.port', options.port, isAbsent, 'cannot be used: the application listens, with fastify.listen()')
  if (options.path) fastify.log.warn("ws server path option shouldn't be provided, use a route instead")
  return { ...options, noServer: true }
}

function readShutdown (given: WebsocketPluginOptions['shutdown']): Settings['shutdown'] {
  check('shutdown', given, isObject, 'must be an object')
  const { code, reason, timeout } = given ?? {}
  check('shutdown.code', code, isCloseCode, 'must be a close code that an endpoint may send: 1000 to 1014 but 1004, 1005 and 1006, or 3000 to 4999')
  check('shutdown.reason', reason, isReason, 'must be a string of at most 123 bytes')
  if (reason != null && code == null) throw new FST_WS_INVALID_OPTION('shutdown.reason', 'needs shutdown.code')
  check('shutdown.timeout', timeout, isDelay, 'must be a number of milliseconds above 0')
  return { code: code ?? undefined, reason: reason ?? undefined, timeout: timeout ?? SHUTDOWN_TIMEOUT }
}

function check (name: string, value: unknown, isValid: (value: unknown) => boolean, rule: string): void {
  if (value != null && !isValid(value)) throw new FST_WS_INVALID_OPTION(name, rule)
}

function isAbsent (): boolean {
  return false
}

function isFunction (value: unknown): boolean {
  return typeof value === 'function'
}

function isObject (value: unknown): boolean {
  return typeof value === 'object'
}

function isSwitch (value: unknown): boolean {
  return typeof value === 'boolean' || typeof value === 'object'
}

function isSize (value: unknown): boolean {
  return typeof value === 'number' && value >= 0
}

function isDelay (value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= LONGEST
}

function isServer (value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'on' in value && 'removeListener' in value
}

// RFC 6455 section 7.4, as ws allows them.
function isCloseCode (value: unknown): boolean {
  return Number.isInteger(value) && isSendable(value as number)
}

function isSendable (code: number): boolean {
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
}

// RFC 6455 section 5.5: a control frame carries 125 bytes, two of them the code.
function isReason (value: unknown): boolean {
  return typeof value === 'string' && Buffer.byteLength(value) <= 123
}
