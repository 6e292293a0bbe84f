// Stage 3, where a route has the option upgrade: the application answers in the place of ws, after the hooks. What it fails
// with refuses as in a hook, as long as nothing is on the stream yet. Meanwhile nothing of ours reads or listens there, and
// what was read ahead has been put back, behind the head.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { EventEmitter } from 'node:events'
import type { WebSocket } from 'ws'
import { FST_WS_INVALID_UPGRADE_RESULT } from './errors'
import { logError } from './log'
import type { TakeOver } from './policy'
import type { PendingUpgrade } from './upgrade'

/** The websocket that it opened, unless the raw socket is the application's, or the client has left. */
export async function letTakeOver (takeOver: TakeOver, instance: FastifyInstance, upgrade: PendingUpgrade, request: FastifyRequest, reply: FastifyReply): Promise<WebSocket | undefined> {
  // From here to the handler only promises are awaited, so it listens before the next tick, in which a socket begins to flow.
  await null
  if (upgrade.isPending) upgrade.handOver()
  const result = await askForSocket(takeOver, instance, upgrade, request).catch(error => {
    if (!upgrade.isPending || !upgrade.isWritten()) throw error
    logError(request.log, error)
    upgrade.stream.destroy()
  })
  reply.hijack()
  if (!upgrade.isPending) result?.terminate()
  else if (result === undefined || result.readyState === result.CLOSED) upgrade.take()
  else {
    upgrade.accept()
    return result
  }
}

async function askForSocket (takeOver: TakeOver, instance: FastifyInstance, { isPending, stream, head }: PendingUpgrade, request: FastifyRequest): Promise<WebSocket | undefined> {
  if (!isPending) return
  const result: unknown = await takeOver.call(instance, request, stream, head)
  if (result == null) return
  if (result instanceof EventEmitter && 'readyState' in result) return result as WebSocket
  throw new FST_WS_INVALID_UPGRADE_RESULT()
}
