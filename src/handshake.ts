// Stage 3, first half: ws writes the 101, and the application has its say in it (verifyClient, handleProtocols, the
// 'headers' event). Whatever that code does, the upgrade ends: a throw or a rejection refuses with 500, a silence with 503.
// ws reads its options live on each handshake, so what it is asked for here is the application's websocketServer with other
// options in front: its own stay as they are.

import type { IncomingMessage } from 'node:http'
import type { VerifyClientCallbackAsync, WebSocket, WebSocketServer } from 'ws'
import { FST_WS_ASYNC_PROTOCOLS, FST_WS_HANDSHAKE_TIMEOUT } from './errors'
import { isThenable } from './thenable'
import { upgradeOf } from './upgrade'
import type { PendingUpgrade } from './upgrade'

type Verify = VerifyClientCallbackAsync<IncomingMessage>

export interface Handshake {
  upgrade: PendingUpgrade
  /** The 101 is written. */
  onOpen: (socket: WebSocket) => void
  /** The application's code failed. */
  onFailure: (error: unknown) => void
}

interface Attempt extends Handshake {
  socket: WebSocket | undefined
  stopTimer: (() => void) | undefined
}

/** timeout: the milliseconds that the application may take. */
export function createHandshaker (websocketServer: WebSocketServer, timeout: number): (handshake: Handshake) => void {
  // By upgrade and not in closures: ws remembers for each open connection whom it was asked by.
  const attempts = new WeakMap<PendingUpgrade, Attempt>()
  const guardedServer = withOptions(websocketServer, {
    verifyClient: { get: () => websocketServer.options.verifyClient && verifyClient },
    handleProtocols: { get: () => websocketServer.options.handleProtocols && chooseProtocol }
  })
  return shakeHands

  function shakeHands ({ upgrade, onOpen, onFailure }: Handshake): void {
    // Spelt out: an object that was spread and grows afterwards costs V8 more than all the rest of this file.
    const attempt: Attempt = { upgrade, onOpen, onFailure, socket: undefined, stopTimer: undefined }
    const { options } = websocketServer
    const isGuarded = Boolean(options.verifyClient || options.handleProtocols)
    if (isGuarded) attempts.set(upgrade, attempt)
    runGuarded(attempt, () => {
      (isGuarded ? guardedServer : websocketServer).handleUpgrade(upgrade.rawRequest, upgrade.stream, upgrade.head, socket => {
        upgrade.accept()
        attempt.socket = socket
      })
    })
    if (upgrade.isPending) startTimer(attempt, timeout)
  }

  // As ws has it, a function of two parameters calls back and any other answers by its result, here also by a promise.
  function verifyClient (info: Parameters<Verify>[0], next: Parameters<Verify>[1]): void {
    const { options, options: { verifyClient: verify } } = websocketServer
    const attempt = attemptOf(info.req)
    const callsBack = verify?.length === 2
    let hasReturned = false
    let verdict: unknown[] | undefined
    const result: unknown = verify && Reflect.apply(verify, options, callsBack ? [info, answer] : [info])
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

  function chooseProtocol (protocols: Set<string>, rawRequest: IncomingMessage): string | false | undefined {
    const { options } = websocketServer
    const chosen = options.handleProtocols?.(protocols, rawRequest)
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
