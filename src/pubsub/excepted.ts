// Who is not to get a message that only the engine will bring: known by its sequence until it comes. One that never comes is
// forgotten behind enough others.

import type { Member } from './member'

const MOST = 10_000

export class Excepted {
  readonly #members = new Map<string, Member>()

  put (topic: string, sequence: number, member: Member): void {
    this.#members.set(`${sequence} ${topic}`, member)
    const [oldest = ''] = this.#members.keys()
    if (this.#members.size > MOST) this.#members.delete(oldest)
  }

  take (topic: string, sequence: number): Member | undefined {
    const key = `${sequence} ${topic}`
    const member = this.#members.get(key)
    this.#members.delete(key)
    return member
  }
}
