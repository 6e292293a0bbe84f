// Stage 3: the handshake, then the handler; every error to one place.
// Before the 101 an error is an HTTP answer, after it it goes to the errorHandler, and there is no third way. An open
// connection keeps nothing of its request alive, unless the application's errorHandler or handler does.

import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { WebSocket, WebSocketServer } from 'ws'
import type { RouteSocket, WebsocketPluginOptions } from '../types'
import { keepContext } from './async-context'
import { clearTimeout, setTimeout } from './clock'
import { adopt } from './connections'
import { tellError, tellOpen } from './diagnostics'
import { holdMessages } from './early-messages'
import { FST_WS_HANDSHAKE_FAILED } from './errors'
import { createHandshaker } from './handshake'
import { logError } from './log'
import { admit, open } from './policy'
import type { TakeOver } from './policy'
import { headerLines } from './reply-headers'
import type { RouteRecord } from './route'
import { createAborter } from './signal'
import { letTakeOver } from './take-over'
import { isThenable } from './thenable'
import { upgradeOf } from './upgrade'
import type { PendingUpgrade } from './upgrade'

/** Answers an upgrade. The promise is pending until the route's policies have admitted it. */
export type OpenConnection = (instance: FastifyInstance, record: RouteRecord, request: FastifyRequest, reply: FastifyReply) => Promise<void> | undefined

type ErrorHandler = NonNullable<WebsocketPluginOptions['errorHandler']>

/** An open connection with its request, as long as anybody needs that. */
export interface Connection {
  instance: FastifyInstance
  socket: WebSocket
  request: FastifyRequest
  reply: FastifyReply
  /** The end of every error after the 101. */
  fail: (error: unknown) => void
}

// How long a socket that erred may take over its closing handshake before it is cut.
const CLOSE_GRACE = 2000

const kLog = Symbol('fastify-wss.log')

type Logged = WebSocket & { [kLog]?: FastifyBaseLogger }

export function createConnectionOpener (websocketServer: WebSocketServer, errorHandler: ErrorHandler | undefined, handshakeTimeout: number): OpenConnection {
  const shakeHands = createHandshaker(websocketServer, handshakeTimeout)
  const abortOnClose = createAborter()
  websocketServer.on('headers', addReplyHeaders)

  return function openConnection (instance, record, request, reply) {
    if (record.admissions.length === 0) return answer(instance, record, request, reply)
    return admit(record.admissions, request, reply).then(() => answer(instance, record, request, reply))
  }

  function answer (instance: FastifyInstance, record: RouteRecord, request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined {
    const upgrade = upgradeOf(request.raw)
    if (record.takeOver !== undefined && upgrade?.isPending === true) return leaveTo(record.takeOver, upgrade, instance, record, request, reply)
    reply.hijack()
    if (upgrade?.isPending !== true) return
    upgrade.reply = reply
    shakeHands({
      upgrade,
      options: record.handshake,
      onOpen: socket => { runHandler(record, instance, socket, request, reply) },
      onFailure: error => {
        logError(request.log, error)
        upgrade.fail(new FST_WS_HANDSHAKE_FAILED())
      }
    })
  }

  async function leaveTo (takeOver: TakeOver, upgrade: PendingUpgrade, instance: FastifyInstance, record: RouteRecord, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    upgrade.reply = reply
    const socket = await letTakeOver(takeOver, instance, upgrade, request, reply)
    if (socket === undefined) return
    adopt(websocketServer, socket)
    runHandler(record, instance, socket, request, reply)
  }

  function runHandler ({ handler, policies }: RouteRecord, instance: FastifyInstance, socket: WebSocket, request: FastifyRequest, reply: FastifyReply): void {
    const connection: Connection = { instance, socket, request, reply, fail: terminator(socket, request.log) }
    if (errorHandler !== undefined) connection.fail = error => { askErrorHandler(errorHandler, error, connection) }
    keepContext(socket)
    listenForErrors(connection)
    abortOnClose(connection)
    try {
      open(policies, connection)
      tellOpen(connection)
      websocketServer.emit('connection', socket, request.raw, request)
      const result: unknown = handler.call(instance, socket as RouteSocket, request)
      if (isThenable(result)) awaitHandler(result, connection)
    } catch (error) {
      connection.fail(error)
    }
  }

  function awaitHandler (result: PromiseLike<unknown>, connection: Connection): void {
    const { socket, request } = connection
    const release = holdMessages(socket, handshakeTimeout, request.log)
    Promise.resolve(result).then(release, error => {
      release()
      connection.fail(error)
    })
  }

  function listenForErrors (connection: Connection): void {
    const { socket, request } = connection
    if (errorHandler === undefined) {
      const logged: Logged = socket
      logged[kLog] = request.log
      socket.on('error', onSocketError)
    } else {
      socket.on('error', connection.fail)
    }
  }
}

/** What the application throws later, in the place of its handler. */
export function failLater (socket: WebSocket, error: unknown): void {
  const { [kLog]: log }: Logged = socket
  if (log === undefined) socket.emit('error', error)
  else terminator(socket, log)(error)
}

function askErrorHandler (errorHandler: ErrorHandler, error: unknown, connection: Connection): void {
  const { instance, socket, request, reply } = connection
  tellError(socket, error)
  try {
    const result: unknown = errorHandler.call(instance, error as Error, socket, request, reply)
    if (isThenable(result)) Promise.resolve(result).catch(failure => { onErrorHandlerFailed(error, failure, connection) })
  } catch (failure) {
    onErrorHandlerFailed(error, failure, connection)
  }
}

// Whoever keeps it keeps nothing of the request alive.
function terminator (socket: WebSocket, log: FastifyBaseLogger): (error: unknown) => void {
  return error => {
    tellError(socket, error)
    logError(log, error)
    socket.terminate()
  }
}

function onErrorHandlerFailed (error: unknown, failure: unknown, { socket, request }: Connection): void {
  logError(request.log, error)
  logError(request.log, failure)
  socket.terminate()
}

// ws closes an erring socket with the code that tells why (1002, 1007, 1009), or a listener of the application chooses
// one: the client has to get it, so the default is to cut only what is still open later.
function onSocketError (this: WebSocket, error: Error): void {
  tellError(this, error)
  const { [kLog]: log }: Logged = this
  if (log !== undefined) logError(log, error)
  const timer = setTimeout(() => { this.terminate() }, CLOSE_GRACE).unref()
  this.once('close', () => { clearTimeout(timer) })
}

function addReplyHeaders (lines: string[], rawRequest: IncomingMessage): void {
  const reply = upgradeOf(rawRequest)?.reply
  if (reply !== undefined) lines.push(...headerLines(reply))
}
