// slowConsumer: how much may wait for a client that reads slower than it is sent to.

import { limitBacklog, mindBacklog, readBacklogSettings } from '../backlog'
import type { Policy, PolicyKind } from '../policy'
import { tapMessages } from '../traffic'
import type { Tap } from '../traffic'
import { upgradeOf } from '../upgrade'
import type { PendingUpgrade } from '../upgrade'
import type { Registration } from './index'

export function slowConsumer ({ websocketServer }: Registration): PolicyKind {
  const tap: Tap = { onSend (socket) { mindBacklog(websocketServer, socket) } }
  return { name: 'slowConsumer', read }

  function read (value: unknown, name: string): (() => Policy) | undefined {
    const settings = readBacklogSettings(value, name)
    return settings && (() => ({
      open ({ socket, request }) {
        const { stream } = upgradeOf(request.raw) as PendingUpgrade
        limitBacklog(socket, stream, settings)
        tapMessages(socket, tap)
        return undefined
      }
    }))
  }
}
