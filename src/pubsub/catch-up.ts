// A socket that is given what it has missed: first what the history has, then what came meanwhile, then it is live. What is
// published meanwhile waits; and what the history has given already passes by when it comes along once more.

import { endWith } from '../ending'
import { compareIds } from './ids'
import type { Member } from './member'
import type { Message } from './message'

// Bytes that may wait.
const MOST_WAITING = 16 * 1024 * 1024
const ENDING = { code: 1013, reason: 'slow consumer' }

export class CatchUp {
  readonly member: Member
  /** The last id that it has been given. */
  floor: string
  #waiting: Array<{ id: string | undefined, message: Message }> | undefined = []

  #size = 0

  constructor (member: Member, after: string) {
    this.member = member
    this.floor = after
  }

  /** From the history. */
  give (id: string, message: Message): void {
    this.floor = id
    this.member.write(message)
  }

  /**
   * Something is published; without an id it is for this node only. True when it was the first thing behind all that was given:
   * from then on the socket is like any other.
   */
  hear (id: string | undefined, message: Message): boolean {
    if (this.#waiting !== undefined) {
      this.#waiting.push({ id, message })
      this.#size += message.bytes.length
      if (this.#size > MOST_WAITING) endWith(this.member.socket, ENDING)
      return false
    }
    if (id === undefined) {
      this.member.write(message)
      return false
    }
    if (compareIds(id, this.floor) <= 0) return false
    this.give(id, message)
    return true
  }

  /** The history has nothing more. */
  goLive (): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const { id, message } of waiting) this.hear(id, message)
  }
}
