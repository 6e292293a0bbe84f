// The end: what happens to open connections when the application closes.
// No upgrade is accepted any more, every client is told, at once or in batches, and whoever has not answered the close frame
// within the time limit is cut: a close always ends. A preClose of the application comes first, and is held to the same limit.

import type { FastifyInstance } from 'fastify'
import type { EventEmitter } from 'node:events'
import type { WebSocket, WebSocketServer } from 'ws'
import { clearTimeout, LONGEST_DELAY, setTimeout } from './clock'
import { connectionsOf } from './connections'
import type { Enrolment } from './enrolment'
import { logError } from './log'
import type { Settings } from './options'
import { isThenable } from './thenable'

export interface Shutdown {
  /** A preClose hook. */
  closeConnections: (this: FastifyInstance) => Promise<void>
  /** An onClose hook: waits for the last connection. */
  finish: () => Promise<void>
}

type PreClose = NonNullable<Settings['preClose']>

export function createShutdown (websocketServer: WebSocketServer, enrolment: Enrolment, leave: () => void, settings: Settings): Shutdown {
  const { preClose, shutdown: { code, reason, timeout, batch, interval } } = settings
  const clients = connectionsOf(websocketServer)
  let isClosed = false
  let closing: Promise<void> | undefined
  let cut: NodeJS.Timeout | undefined
  websocketServer.once('close', () => { isClosed = true })
  return { closeConnections, finish }

  async function closeConnections (this: FastifyInstance): Promise<void> {
    enrolment.refuseUpgrades()
    closing = closeAll(this)
    if (await endsWithin(hookLimit(this), closing)) await closing
  }

  async function closeAll (fastify: FastifyInstance): Promise<void> {
    const custom = preClose && runPreClose(fastify, preClose)
    const isLate = custom !== undefined && !await endsWithin(timeout, custom)
    const stuck = isLate ? [...clients].filter(({ readyState, CLOSING }) => readyState === CLOSING) : []
    for (const socket of stuck) socket.terminate()
    if (!isClosed) websocketServer.close()
    await askInBatches()
    cut = setTimeout(cutConnections, timeout)
    // Before Fastify closes its server, which ends what carries them.
    await Promise.all([...enrolment.carriers].map(carrier => carrier.end(enrolment, timeout)))
    // A preClose that fails has closed nothing for sure, so its error is told only now.
    if (isLate) custom.catch(error => { logError(fastify.log, error) })
    else await custom
  }

  // Who leaves unasked in an interval needs no batch, and nobody left needs no interval.
  async function askInBatches (): Promise<void> {
    let allLeft: Promise<unknown> | undefined
    for (let rest = [...clients].filter(isOpen); rest.length > 0; rest = rest.filter(isOpen)) {
      for (const socket of rest.splice(0, batch)) socket.close(code, reason)
      if (rest.length === 0) return
      allLeft ??= Promise.all(rest.map(closed))
      await endsWithin(interval, allLeft)
    }
  }

  function cutConnections (): void {
    for (const socket of [...clients]) socket.terminate()
    for (const { stream } of enrolment.upgrades) stream.destroy()
  }

  // Fastify waits for the connections of its own server only.
  async function finish (): Promise<void> {
    await closing?.catch(() => {})
    const open = [...clients].filter(socket => socket.readyState !== socket.CLOSED)
    const streams = [...enrolment.upgrades].map(({ stream }) => stream)
    await Promise.all([...open, ...streams].map(closed))
    clearTimeout(cut)
    leave()
  }
}

function runPreClose (fastify: FastifyInstance, preClose: PreClose): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null): void => { error ? reject(error) : resolve() }
    const result: unknown = Reflect.apply(preClose, fastify, preClose.length === 0 ? [] : [done])
    if (isThenable(result)) Promise.resolve(result).then(() => { resolve() }, reject)
    else if (preClose.length === 0) resolve()
  })
}

// A hook that Fastify finds too slow makes close() reject. Its rest is awaited by finish, where there is no such limit.
function hookLimit (fastify: FastifyInstance): number {
  return 0.9 * Number(fastify.initialConfig.pluginTimeout) || LONGEST_DELAY
}

async function endsWithin (timeout: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>(resolve => { timer = setTimeout(resolve, timeout, false) })
  const isInTime = await Promise.race([work.then(() => true, () => true), late])
  clearTimeout(timer)
  return isInTime
}

function closed (socket: EventEmitter): Promise<unknown> {
  return new Promise(resolve => { socket.once('close', resolve) })
}

function isOpen ({ readyState, OPEN }: WebSocket): boolean {
  return readyState === OPEN
}
