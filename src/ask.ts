// What ws asks the application in a handshake, answered at once, by a promise or by a callback. The first answer counts. One
// that is there at once is passed on within the call, after the application's function is done: a handshake that need not wait
// does not, and what such a function throws refuses.

import type { IncomingMessage } from 'node:http'
import type { ServerOptions, VerifyClientCallbackAsync } from 'ws'
import { isThenable } from './thenable'

export type VerifyInfo = Parameters<VerifyClientCallbackAsync<IncomingMessage>>[0]

type VerifyClient = NonNullable<ServerOptions['verifyClient']>
type HandleProtocols = NonNullable<ServerOptions['handleProtocols']>

/** How it goes on where the answer is late. */
export interface Waiting {
  resume: (action: () => void) => void
  fail: (error: unknown) => void
}

/** As ws has it, a function of two parameters calls back and any other answers by its result, here also by a promise. */
export function askVerifyClient (verifyClient: VerifyClient, options: ServerOptions, info: VerifyInfo, { resume, fail }: Waiting, onVerdict: (verdict: unknown[]) => void): void {
  const callsBack = verifyClient.length === 2
  let hasReturned = false
  let verdict: unknown[] | undefined
  const result: unknown = Reflect.apply(verifyClient, options, callsBack ? [info, answer] : [info])
  hasReturned = true
  if (isThenable(result)) Promise.resolve(result).then(callsBack ? undefined : answer, fail)
  else if (!callsBack) verdict = [Boolean(result)]
  if (verdict !== undefined) onVerdict(verdict)

  function answer (...given: unknown[]): void {
    if (verdict !== undefined) return
    verdict = given
    if (hasReturned) resume(() => { onVerdict(given) })
  }
}

/** Undefined, or whatever else is no name, means no protocol. */
export function askHandleProtocols (handleProtocols: HandleProtocols, options: ServerOptions, rawRequest: IncomingMessage, { resume, fail }: Waiting, onChosen: (protocol: unknown) => void): void {
  const chosen: unknown = handleProtocols.call(options, offeredProtocols(rawRequest), rawRequest)
  if (isThenable(chosen)) Promise.resolve(chosen).then(protocol => { resume(() => { onChosen(protocol) }) }, fail)
  else onChosen(chosen)
}

// ws has parsed the header by now, and refused what is no list of different tokens.
function offeredProtocols ({ headers }: IncomingMessage): Set<string> {
  return new Set(String(headers['sec-websocket-protocol']).split(',').map(protocol => protocol.trim()))
}
