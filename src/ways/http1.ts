// How an upgrade comes in over HTTP/1.1: the server's 'upgrade' event, to which others may listen too.
// Every upgrade gets exactly one owner here: one of our registrations (an Http1Upgrade that the router answers), another
// listener, or nobody, and then it is a plain request again.

import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout } from '../clock'
import type { Dispatcher } from '../dispatch'
import { FST_WS_UPGRADE_WITH_BODY, FST_WS_WEBSOCKETS_ONLY } from '../errors'
import { answerPlain, canServePlain, declineForeignBodies, hasBody, isWebsocketUpgrade, servePlain } from './foreign'
import { Http1Upgrade } from './http1-upgrade'
import { afterEarlierResponses, guardSocket, unguardSocket, watchForOthers } from './raw-socket'

// How long other listeners may take over an upgrade that was left to them, before it is found that nobody wants it.
const LEFT_FOR = 5000

/** Call the result to listen no more. */
export function listenForUpgrades (httpServer: Server, dispatcher: Dispatcher): () => void {
  const restoreCallback = declineForeignBodies(httpServer, isAlone)
  httpServer.on('upgrade', onUpgrade)
  return function stopListening () {
    httpServer.off('upgrade', onUpgrade)
    restoreCallback()
  }

  function onUpgrade (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    const handle = isWebsocketUpgrade(rawRequest) ? receive : handleForeign
    if (isAlone()) handle(rawRequest, rawSocket, head)
    else waitForOthers(handle, rawRequest, rawSocket, head)
  }

  function waitForOthers (handle: typeof receive, rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    guardSocket(rawSocket)
    const isTaken = watchForOthers(rawRequest, rawSocket)
    // A tick later every other listener has had its turn, whatever the order of registration.
    process.nextTick(() => {
      if (isTaken()) return
      if (handle === receive && !dispatcher.claims(rawRequest)) leaveToOthers(rawRequest, rawSocket, head, isTaken)
      else handleAlone(handle, rawRequest, rawSocket, head)
    })
  }

  function isAlone (): boolean {
    return httpServer.listenerCount('upgrade') === 1
  }

  // Nobody may want it after all: then it gets the answer it would have got had we been alone.
  function leaveToOthers (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer, isTaken: () => boolean): void {
    const { handshakeTimeout } = dispatcher.recipientOf(rawRequest)
    setTimeout(() => {
      if (!isTaken()) handleAlone(receive, rawRequest, rawSocket, head)
    }, Math.min(LEFT_FOR, handshakeTimeout)).unref()
  }

  // A socket tells nothing while code runs, and who handles the upgrade guards it if it takes longer.
  function handleAlone (handle: typeof receive, rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    unguardSocket(rawSocket)
    handle(rawRequest, rawSocket, head)
  }

  function receive (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    const recipient = dispatcher.recipientOf(rawRequest)
    const upgrade = new Http1Upgrade(rawRequest, rawSocket, head, recipient)
    // What follows would be read as frames by us, and as a request by whoever stands in front of us.
    if (rawRequest.method === 'GET' && hasBody(rawRequest)) upgrade.takeTurn(() => { upgrade.refuse(new FST_WS_UPGRADE_WITH_BODY()) })
    else recipient.receive(upgrade)
  }

  function handleForeign (rawRequest: IncomingMessage, rawSocket: Socket, head: Buffer): void {
    if (httpServer.listenerCount('request') > 0 && canServePlain(rawRequest)) {
      guardSocket(rawSocket)
      afterEarlierResponses(rawSocket, () => {
        unguardSocket(rawSocket)
        servePlain(rawRequest, rawSocket, head)
      })
    } else {
      const upgrade = new Http1Upgrade(rawRequest, rawSocket, head, dispatcher.recipientOf(rawRequest))
      upgrade.takeTurn(() => {
        if (httpServer.listenerCount('request') > 0) answerPlain(httpServer, rawRequest, upgrade.rawResponse)
        else upgrade.refuse(new FST_WS_WEBSOCKETS_ONLY())
      })
    }
  }
}
