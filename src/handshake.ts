// Stage 3, first half: ws writes the 101, and the application has its say in it (verifyClient, handleProtocols, the
// 'headers' event). Whatever that code does, the upgrade ends: a throw or a rejection refuses with 500, a silence with 503.
// ws reads its options live on each handshake, so what it is asked for here is the application's websocketServer with other
// options in front: its own stay as they are.

import type { IncomingMessage } from 'node:http'
import type { ServerOptions, VerifyClientCallbackAsync, WebSocket, WebSocketServer } from 'ws'
import { clearTimeout, setTimeout } from './clock'
import { FST_WS_ASYNC_PROTOCOLS, FST_WS_HANDSHAKE_TIMEOUT } from './errors'
import { isThenable } from './thenable'
import { upgradeOf } from './upgrade'
import type { PendingUpgrade } from './upgrade'

type Verify = VerifyClientCallbackAsync<IncomingMessage>

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
}

const NO_OPTIONS: ServerOptions = {}

/** timeout: the milliseconds that the application may take. */
export function createHandshaker (websocketServer: WebSocketServer, timeout: number): (handshake: Handshake) => void {
  // By upgrade and not in closures: ws remembers for each open connection whom it was asked by.
  const attempts = new WeakMap<PendingUpgrade, Attempt>()
  const servers = new WeakMap<ServerOptions, WebSocketServer>()
  return shakeHands

  function shakeHands ({ upgrade, options = NO_OPTIONS, onOpen, onFailure }: Handshake): void {
    // Spelt out: an object that was spread and grows afterwards costs V8 more than all the rest of this file.
    const attempt: Attempt = { upgrade, onOpen, onFailure, socket: undefined, stopTimer: undefined }
    const { verifyClient, handleProtocols } = websocketServer.options
    const isGuarded = options !== NO_OPTIONS || Boolean(verifyClient || handleProtocols)
    if (isGuarded) attempts.set(upgrade, attempt)
    const server = isGuarded ? guardedServer(options) : websocketServer
    runGuarded(attempt, () => {
      server.handleUpgrade(upgrade.rawRequest, upgrade.stream, upgrade.head, socket => {
        upgrade.accept()
        attempt.socket = socket
      })
    })
    if (upgrade.isPending) startTimer(attempt, timeout)
  }

  function guardedServer (options: ServerOptions): WebSocketServer {
    const known = servers.get(options)
    if (known !== undefined) return known
    const server = withOptions(websocketServer, {
      ...Object.getOwnPropertyDescriptors(options),
      verifyClient: {
        get () {
          const { verifyClient } = 'verifyClient' in options ? options : websocketServer.options
          return verifyClient && ((info: Parameters<Verify>[0], next: Parameters<Verify>[1]) => { verify(verifyClient, info, next) })
        }
      },
      handleProtocols: {
        get () {
          const { handleProtocols } = 'handleProtocols' in options ? options : websocketServer.options
          return handleProtocols && ((protocols: Set<string>, rawRequest: IncomingMessage) => chooseProtocol(handleProtocols, protocols, rawRequest))
        }
      }
    })
    servers.set(options, server)
    return server
  }

  // As ws has it, a function of two parameters calls back and any other answers by its result, here also by a promise.
  function verify (verifyClient: NonNullable<ServerOptions['verifyClient']>, info: Parameters<Verify>[0], next: Parameters<Verify>[1]): void {
    const attempt = attemptOf(info.req)
    const callsBack = verifyClient.length === 2
    let hasReturned = false
    let verdict: unknown[] | undefined
    const result: unknown = Reflect.apply(verifyClient, websocketServer.options, callsBack ? [info, answer] : [info])
    hasReturned = true
    if (isThenable(result)) Promise.resolve(result).then(callsBack ? undefined : answer, fail)
    else if (!callsBack) verdict = [Boolean(result)]
    if (verdict !== undefined) Reflect.apply(next, undefined, verdict)

    function answer (...given: unknown[]): void {
      attempt?.stopTimer?.()
      if (!hasReturned) verdict ??= given
      else if (attempt?.upgrade.isPending === true) runGuarded(attempt, () => { Reflect.apply(next, undefined, given) })
    }

    function fail (error: unknown): void {
      attempt?.stopTimer?.()
      attempt?.onFailure(error)
    }
  }

  function chooseProtocol (handleProtocols: NonNullable<ServerOptions['handleProtocols']>, protocols: Set<string>, rawRequest: IncomingMessage): string | false {
    const chosen = handleProtocols.call(websocketServer.options, protocols, rawRequest)
    if (!isThenable(chosen)) return chosen
    Promise.resolve(chosen).catch(() => {})
    throw new FST_WS_ASYNC_PROTOCOLS()
  }

  function attemptOf (rawRequest: IncomingMessage): Attempt | undefined {
    const upgrade = upgradeOf(rawRequest)
    return upgrade && attempts.get(upgrade)
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
  else if (upgrade.isPending && upgrade.stream.writableEnded) upgrade.refusedByWs()
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
