// A topic that somebody here listens to: its sockets, and the application's own listeners. One that nobody listens to is not
// there at all.

import type { Received } from '../../types/pubsub'
import type { CatchUp } from './catch-up'
import type { Arrival } from './inbound'
import type { Member } from './member'
import type { Heard } from './sequences'

export type Listener = (message: unknown, received: Received) => unknown

export class Topic {
  readonly name: string
  readonly members = new Set<Member>()
  listeners: Set<Listener> | undefined
  /** Sockets that are being given what they have missed. */
  catchUps: Set<CatchUp> | undefined
  /** Subscriptions that are being made. */
  pending = 0
  /** What has come from other nodes. */
  heard: Heard | undefined
  /** The id of the last message, where the engine has a history. */
  lastId: string | undefined
  /** What comes while the history is read for what is missing. */
  held: Arrival[] | undefined

  constructor (name: string) {
    this.name = name
  }

  get isIdle (): boolean {
    return this.members.size === 0 && this.pending === 0 && !this.listeners?.size && !this.catchUps?.size
  }

  /** Of sockets, those who catch up too. */
  get size (): number {
    return this.members.size + (this.catchUps?.size ?? 0)
  }

  sockets (): Member[] {
    return [...this.members, ...[...this.catchUps ?? []].map(({ member }) => member)]
  }
}
