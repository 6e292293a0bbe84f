// The end of a connection that an option ends. The client gets a code that tells why, and whoever does not answer it
// (because it does not read, or does not want to) is cut a little later.

import type { WebSocket } from 'ws'
import { check, checkKeys, CLOSE_CODE, DELAY, fail, REASON } from './check'
import { clearTimeout, setTimeout } from './clock'

// Milliseconds that a client has to answer.
const GRACE = 2000

/** What the client is told. */
export interface Ending {
  code: number
  reason: string
}

/** An option that ends connections after a time. */
export interface Term extends Ending {
  timeout: number | undefined
}

/** Does nothing on a socket that is being closed: it has its code. */
export function endWith (socket: WebSocket, { code, reason }: Ending): void {
  if (socket.readyState !== socket.OPEN) return
  const timer = setTimeout(() => { socket.terminate() }, GRACE).unref()
  socket.once('close', () => { clearTimeout(timer) })
  socket.close(code, reason)
}

/** Milliseconds, or an object with the code and the reason beside them. Undefined where it is off. */
export function readTerm (name: string, value: unknown, ending: Ending): Term | undefined {
  if (value == null || value === false) return
  if (typeof value === 'number') {
    check(name, value, DELAY)
    return { timeout: value, ...ending }
  }
  if (typeof value !== 'object') fail(name, 'must be a number of milliseconds, or an object, or false', value)
  checkKeys(name, value, ['timeout', 'code', 'reason'])
  const { timeout, code, reason }: Partial<Term> = value
  check(`${name}.timeout`, timeout, DELAY)
  check(`${name}.code`, code, CLOSE_CODE)
  check(`${name}.reason`, reason, REASON)
  return { timeout: timeout ?? undefined, code: code ?? ending.code, reason: reason ?? ending.reason }
}
