// Stage 3, first half: ws writes the 101, and the application has its say in it (verifyClient, handleProtocols, the
// 'headers' event). Whatever that code does, the upgrade ends: a throw or a rejection refuses with 500, a silence with 503.
// ws reads its options live on each handshake, so what it is asked for here is the application's websocketServer with other
// options in front: its own stay as they are. It waits for verifyClient only, so that is where the protocol is chosen too.

import type { IncomingMessage } from 'node:http'
import type { ServerOptions, VerifyClientCallbackAsync, WebSocket, WebSocketServer } from 'ws'
import { askHandleProtocols, askVerifyClient } from './ask'
import type { VerifyInfo, Waiting } from './ask'
import { clearTimeout, setTimeout } from './clock'
import { FST_WS_HANDSHAKE_TIMEOUT } from './errors'
import { offersSafeDeflate, SAFE_DEFLATE } from './safe-deflate'
import type { PendingUpgrade } from './upgrade'

type Next = Parameters<VerifyClientCallbackAsync<IncomingMessage>>[1]

export interface Handshake {
  upgrade: PendingUpgrade
  /** What ws is to go by, in front of the options of the server. */
  options: ServerOptions | undefined
  /** The 101 is written. */
  onOpen: (socket: WebSocket) => void
  /** The application's code failed. */
  onFailure: (error: unknown) => void
}

interface Attempt {
  upgrade: PendingUpgrade
  onOpen: (socket: WebSocket) => void
  onFailure: (error: unknown) => void
  socket: WebSocket | undefined
  stopTimer: (() => void) | undefined
  /** Undefined where handleProtocols was not asked. */
  protocol: string | false | undefined
  /** Of the refusal, once verifyClient has refused. */
  statusCode: number | undefined
}

const NO_OPTIONS: ServerOptions = {}

/** timeout: the milliseconds that the application may take. */
export function createHandshaker (websocketServer: WebSocketServer, timeout: number): (handshake: Handshake) => void {
  // By request and not in closures: ws remembers for each open connection whom it was asked by.
  const attempts = new WeakMap<IncomingMessage, Attempt>()
  const servers = new WeakMap<ServerOptions, WebSocketServer>()
  const uncompressed = new WeakMap<ServerOptions, ServerOptions>()
  return shakeHands

  function shakeHands ({ upgrade, options: given = NO_OPTIONS, onOpen, onFailure }: Handshake): void {
    const options = withoutUnsafeDeflate(given, upgrade.rawRequest)
    // Spelt out: an object that was spread and grows afterwards costs V8 more than all the rest of this file.
    const attempt: Attempt = { upgrade, onOpen, onFailure, socket: undefined, stopTimer: undefined, protocol: undefined, statusCode: undefined }
    const { verifyClient, handleProtocols } = websocketServer.options
    const isGuarded = options !== NO_OPTIONS || Boolean(verifyClient || handleProtocols)
    if (isGuarded) attempts.set(upgrade.rawRequest, attempt)
    const server = isGuarded ? guardedServer(options) : websocketServer
    runGuarded(attempt, () => {
      server.handleUpgrade(upgrade.rawRequest, upgrade.stream, upgrade.head, socket => {
        upgrade.accept()
        attempt.socket = socket
      })
    })
    if (upgrade.isPending) startTimer(attempt, timeout)
  }

  function withoutUnsafeDeflate (options: ServerOptions, rawRequest: IncomingMessage): ServerOptions {
    const { perMessageDeflate } = 'perMessageDeflate' in options ? options : websocketServer.options
    if (perMessageDeflate !== SAFE_DEFLATE || offersSafeDeflate(rawRequest)) return options
    const without = uncompressed.get(options) ?? { ...options, perMessageDeflate: false }
    uncompressed.set(options, without)
    return without
  }

  function guardedServer (options: ServerOptions): WebSocketServer {
    const known = servers.get(options)
    if (known !== undefined) return known
    const server = withOptions(websocketServer, {
      ...Object.getOwnPropertyDescriptors(options),
      verifyClient: { value: (info: VerifyInfo, next: Next) => { decide(options, info, next) } },
      handleProtocols: { value: chosenProtocol }
    })
    servers.set(options, server)
    return server
  }

  function decide (options: ServerOptions, info: VerifyInfo, next: Next): void {
    const attempt = attemptOf(info.req)
    const waiting: Waiting = {
      resume (action) { if (attempt.upgrade.isPending) runGuarded(attempt, action) },
      fail (error) {
        attempt.stopTimer?.()
        attempt.onFailure(error)
      }
    }
    const { verifyClient } = 'verifyClient' in options ? options : websocketServer.options
    if (verifyClient) askVerifyClient(verifyClient, websocketServer.options, info, waiting, onVerdict)
    else onVerdict([true])

    function onVerdict (verdict: unknown[]): void {
      const { handleProtocols } = 'handleProtocols' in options ? options : websocketServer.options
      const isChoice = verdict[0] && handleProtocols && info.req.headers['sec-websocket-protocol'] !== undefined
      if (!isChoice) return finish(verdict)
      askHandleProtocols(handleProtocols, websocketServer.options, info.req, waiting, protocol => {
        attempt.protocol = protocol ? String(protocol) : false
        finish(verdict)
      })
    }

    function finish (verdict: unknown[]): void {
      attempt.stopTimer?.()
      // The default is that of ws.
      if (!verdict[0]) attempt.statusCode = Number(verdict[1] || 401)
      Reflect.apply(next, undefined, verdict)
    }
  }

  function chosenProtocol (protocols: Set<string>, rawRequest: IncomingMessage): string | false {
    const [first = false] = protocols
    return attemptOf(rawRequest).protocol ?? first
  }

  // Nobody else asks by a guarded server.
  function attemptOf (rawRequest: IncomingMessage): Attempt {
    return attempts.get(rawRequest) as Attempt
  }
}

// What ws is asked by in place of the server itself. Listeners hear its events from the server that they know.
function withOptions (websocketServer: WebSocketServer, options: PropertyDescriptorMap): WebSocketServer {
  return Object.create(websocketServer, {
    options: { value: Object.create(websocketServer.options, options) },
    emit: { value: websocketServer.emit.bind(websocketServer) }
  })
}

// The handler runs after what it takes part in is over: what it throws is not the handshake's.
function runGuarded (attempt: Attempt, action: () => void): void {
  const { upgrade } = attempt
  upgrade.unwatchClient()
  try {
    action()
  } catch (error) {
    attempt.onFailure(error)
  }
  if (attempt.socket !== undefined) attempt.onOpen(attempt.socket)
  else if (upgrade.isPending && upgrade.stream.writableEnded) upgrade.refusedByWs(attempt.statusCode)
  else upgrade.watchClient()
}

// Nothing of it stays on the socket of an open connection: it would keep the request alive.
function startTimer (attempt: Attempt, timeout: number): void {
  const { upgrade } = attempt
  const timer = setTimeout(refuseLate, timeout, upgrade, timeout)
  upgrade.stream.on('close', stopTimer)
  attempt.stopTimer = stopTimer

  function stopTimer (): void {
    clearTimeout(timer)
    upgrade.stream.off('close', stopTimer)
  }
}

function refuseLate (upgrade: PendingUpgrade, timeout: number): void {
  upgrade.refuse(new FST_WS_HANDSHAKE_TIMEOUT(timeout))
}
