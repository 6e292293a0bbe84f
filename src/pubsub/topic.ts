// A topic that somebody here listens to: its sockets, and the application's own listeners. One that nobody listens to is not
// there at all.

import type { Received } from '../../types/pubsub'
import type { CatchUp } from './catch-up'
import type { Arrival } from './inbound'
import type { Member } from './member'
import type { Heard } from './sequences'

export type Listener = (message: unknown, received: Received) => unknown

const NOBODY: Member[] = []

export class Topic {
  readonly name: string
  /** The only one is kept without a set: a topic of one socket is what there may be most of. */
  #members: Member | Set<Member> | undefined
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

  /** In the order in which they came. */
  get members (): Iterable<Member> {
    if (this.#members instanceof Set) return this.#members
    return this.#members === undefined ? NOBODY : [this.#members]
  }

  get hasMembers (): boolean {
    return this.#members !== undefined
  }

  add (member: Member): void {
    if (this.#members === undefined) this.#members = member
    else if (this.#members instanceof Set) this.#members.add(member)
    else this.#members = new Set([this.#members, member])
  }

  delete (member: Member): void {
    if (this.#members === member) this.#members = undefined
    if (!(this.#members instanceof Set)) return
    this.#members.delete(member)
    if (this.#members.size === 0) this.#members = undefined
  }

  get isIdle (): boolean {
    return this.#members === undefined && this.pending === 0 && !this.listeners?.size && !this.catchUps?.size
  }

  /** Of sockets, those who catch up too. */
  get size (): number {
    const members = this.#members instanceof Set ? this.#members.size : Number(this.#members !== undefined)
    return members + (this.catchUps?.size ?? 0)
  }

  sockets (): Member[] {
    return [...this.members, ...[...this.catchUps ?? []].map(({ member }) => member)]
  }
}
