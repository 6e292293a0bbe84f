// Stage 3, first half: ws writes the 101, and the application has its say in it (verifyClient, handleProtocols, the
// 'headers' event). Whatever that code does, the upgrade ends: a throw or a rejection refuses with 500, a silence with 503.
// ws reads these options live on each handshake, so they are replaced around the call only: websocketServer.options stays
// the application's.

import type { IncomingMessage } from 'node:http'
import type { ServerOptions, VerifyClientCallbackAsync, WebSocket, WebSocketServer } from 'ws'
import { FST_WS_ASYNC_PROTOCOLS, FST_WS_HANDSHAKE_TIMEOUT } from './errors'
import { isThenable } from './thenable'
import type { PendingUpgrade } from './upgrade'

type Verify = VerifyClientCallbackAsync<IncomingMessage>

export interface Handshake {
  websocketServer: WebSocketServer
  upgrade: PendingUpgrade
  /** Milliseconds that the application may take. */
  timeout: number
  /** The 101 is written. */
  onOpen: (socket: WebSocket) => void
  /** The application's code failed. */
  onFailure: (error: unknown) => void
}

interface Attempt extends Handshake {
  socket: WebSocket | undefined
  stopTimer: (() => void) | undefined
}

export function shakeHands ({ websocketServer, upgrade, timeout, onOpen, onFailure }: Handshake): void {
  // Spelt out: an object that was spread and grows afterwards costs V8 more than all the rest of this file.
  const attempt: Attempt = { websocketServer, upgrade, timeout, onOpen, onFailure, socket: undefined, stopTimer: undefined }
  runGuarded(attempt, () => {
    websocketServer.handleUpgrade(upgrade.rawRequest, upgrade.rawSocket, upgrade.head, socket => {
      upgrade.accept()
      attempt.socket = socket
    })
  })
  if (upgrade.isPending) startTimer(attempt)
}

// The handler runs after the options are back in place: what it assigns to them stays.
function runGuarded (attempt: Attempt, action: () => void): void {
  const { upgrade } = attempt
  const restoreOptions = guardOptions(attempt)
  upgrade.unwatchClient()
  try {
    action()
  } catch (error) {
    attempt.onFailure(error)
  } finally {
    restoreOptions()
  }
  if (attempt.socket !== undefined) attempt.onOpen(attempt.socket)
  else if (upgrade.isPending && upgrade.rawSocket.writableEnded) upgrade.refusedByWs()
  else upgrade.watchClient()
}

function guardOptions (attempt: Attempt): () => void {
  const { options } = attempt.websocketServer
  const { verifyClient, handleProtocols } = options
  if (!verifyClient && !handleProtocols) return nothingToRestore
  const verify = verifyClient && guardVerifyClient(attempt, verifyClient)
  const chooseProtocol = handleProtocols && guardHandleProtocols(handleProtocols)
  Object.assign(options, { verifyClient: verify, handleProtocols: chooseProtocol })

  return function restoreOptions () {
    if (options.verifyClient === verify) options.verifyClient = verifyClient
    if (options.handleProtocols === chooseProtocol) options.handleProtocols = handleProtocols
  }
}

function nothingToRestore (): void {}

// As ws has it, a function of two parameters calls back and any other answers by its result, here also by a promise.
function guardVerifyClient (attempt: Attempt, verifyClient: NonNullable<ServerOptions['verifyClient']>): Verify {
  return function verify (info, next) {
    const callsBack = verifyClient.length === 2
    let hasReturned = false
    let verdict: unknown[] | undefined
    const result: unknown = Reflect.apply(verifyClient, attempt.websocketServer.options, callsBack ? [info, answer] : [info])
    hasReturned = true
    if (isThenable(result)) Promise.resolve(result).then(callsBack ? undefined : answer, fail)
    else if (!callsBack) verdict = [Boolean(result)]
    if (verdict !== undefined) Reflect.apply(next, undefined, verdict)

    function answer (...given: unknown[]): void {
      attempt.stopTimer?.()
      if (!hasReturned) verdict ??= given
      else if (attempt.upgrade.isPending) runGuarded(attempt, () => { Reflect.apply(next, undefined, given) })
    }

    function fail (error: unknown): void {
      attempt.stopTimer?.()
      attempt.onFailure(error)
    }
  }
}

function guardHandleProtocols (handleProtocols: NonNullable<ServerOptions['handleProtocols']>): typeof handleProtocols {
  return function chooseProtocol (this: ServerOptions, protocols, rawRequest) {
    const chosen = handleProtocols.call(this, protocols, rawRequest)
    if (!isThenable(chosen)) return chosen
    Promise.resolve(chosen).catch(() => {})
    throw new FST_WS_ASYNC_PROTOCOLS()
  }
}

// Nothing of it stays on the socket of an open connection: it would keep the request alive.
function startTimer (attempt: Attempt): void {
  const { upgrade, timeout } = attempt
  const timer = setTimeout(refuseLate, timeout, upgrade, timeout)
  upgrade.rawSocket.on('close', stopTimer)
  attempt.stopTimer = stopTimer

  function stopTimer (): void {
    clearTimeout(timer)
    upgrade.rawSocket.off('close', stopTimer)
  }
}

function refuseLate (upgrade: PendingUpgrade, timeout: number): void {
  upgrade.refuse(new FST_WS_HANDSHAKE_TIMEOUT(timeout))
}
