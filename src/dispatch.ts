// Stage 1: the HTTP server's 'upgrade' -> Fastify's router.
// Every upgrade gets exactly one owner here: ours (a PendingUpgrade that the router answers), another listener's, or
// nobody's, and then it is a plain request again.

import type { FastifyInstance } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { FST_WS_CLOSING, FST_WS_HANDSHAKE_FAILED } from './errors'
import { answerPlain, canServePlain, declineForeignBodies, isWebsocketUpgrade, servePlain } from './foreign'
import { logError } from './log'
import { isTaken } from './neighbours'
import type { WebsocketRoutes } from './neighbours'
import type { Settings } from './options'
import { afterEarlierResponses, guardSocket, unguardSocket } from './raw-socket'
import { PendingUpgrade } from './upgrade'

// How long other listeners may take over an upgrade that was left to them, before it is found that nobody wants it.
const LEFT_FOR = 5000

export interface Dispatcher {
  /** The upgrades whose raw socket is ours to end: those that wait for an answer, and those that are being refused. */
  upgrades: Set<PendingUpgrade>
  /** From now on every upgrade, also a pending one, is refused with 503. */
  refuseUpgrades: () => void
  /** Stops listening. */
  detach: () => void
}

export function dispatchUpgrades (fastify: FastifyInstance, settings: Settings, routes: WebsocketRoutes): Dispatcher {
  const { httpServer, shouldHandle, handshakeTimeout } = settings
  const upgrades = new Set<PendingUpgrade>()
  const left = new Set<() => void>()
  let isClosing = false
  const restoreCallback = declineForeignBodies(httpServer, isAlone)
  httpServer.on('upgrade', onUpgrade)
  return { upgrades, refuseUpgrades, detach }

  function onUpgrade (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    const handle = isWebsocketUpgrade(rawRequest) ? handleUpgrade : handleForeign
    if (isAlone()) return handle(rawRequest, rawSocket, head)
    guardSocket(rawSocket)
    process.nextTick(handleUntaken, handle, rawRequest, rawSocket, head)
  }

  function isAlone (): boolean {
    return httpServer.listenerCount('upgrade') === 1
  }

  // A tick later every other listener has had its turn, whatever the order of registration.
  function handleUntaken (handle: typeof handleUpgrade, rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    if (!isTaken(rawRequest, rawSocket)) handle(rawRequest, rawSocket, head)
  }

  function handleUpgrade (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    if (isAlone() || isClosing || isOurs(rawRequest)) route(rawRequest, rawSocket, head, true)
    else leaveToOthers(rawRequest, rawSocket, head)
  }

  function handleForeign (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    if (canServePlain(rawRequest)) {
      guardSocket(rawSocket)
      afterEarlierResponses(rawSocket, () => {
        unguardSocket(rawSocket)
        servePlain(rawRequest, rawSocket, head)
      })
    } else {
      route(rawRequest, rawSocket, head, false)
    }
  }

  function isOurs (rawRequest: IncomingMessage): boolean {
    try {
      return shouldHandle === undefined ? routes.matches(fastify, rawRequest) : shouldHandle(rawRequest)
    } catch (error) {
      logError(fastify.log, error)
      return false
    }
  }

  // Nobody may want it after all: then it gets the answer it would have got had we been alone.
  function leaveToOthers (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    const timer = setTimeout(claim, Math.min(LEFT_FOR, handshakeTimeout)).unref()
    left.add(claim)

    function claim (): void {
      clearTimeout(timer)
      left.delete(claim)
      if (!isTaken(rawRequest, rawSocket)) route(rawRequest, rawSocket, head, true)
    }
  }

  function route (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer, isWebsocket: boolean): void {
    const upgrade = new PendingUpgrade(rawRequest, rawSocket, head, isWebsocket, handshakeTimeout, upgrades)
    upgrade.takeTurn(() => {
      if (isClosing) upgrade.refuse(new FST_WS_CLOSING())
      else runRouter(upgrade)
    })
  }

  function runRouter (upgrade: PendingUpgrade): void {
    try {
      if (!upgrade.isWebsocket) return answerPlain(httpServer, upgrade.rawRequest, upgrade.rawResponse)
      fastify.routing(upgrade.rawRequest, upgrade.rawResponse)
      upgrade.watchClient()
    } catch (err) {
      fastify.log.warn({ err }, 'websocket upgrade failed')
      upgrade.refuse(new FST_WS_HANDSHAKE_FAILED())
    }
  }

  function refuseUpgrades (): void {
    isClosing = true
    for (const claim of left) claim()
    for (const upgrade of upgrades) upgrade.refuse(new FST_WS_CLOSING())
  }

  function detach (): void {
    httpServer.off('upgrade', onUpgrade)
    restoreCallback()
  }
}
