// What goes out to the other nodes: in an envelope, with the number by which they see that something is missing. It knows whether
// the engine works: while it does not, publishing says so at once.

import type { Engine } from '../../types/pubsub'
import { FST_WS_PUBSUB_UNAVAILABLE } from '../errors'
import type { Content } from './content'
import { CONTROL, CONTROL_TOPIC, seal } from './envelope'
import type { Excepted } from './excepted'
import type { Member } from './member'
import { Counts } from './sequences'

export class Outbound {
  isUp = false
  isClosed = false
  readonly #node: number
  readonly #engine: Engine
  readonly #excepted: Excepted
  readonly #counts = new Counts()

  constructor (node: number, engine: Engine, excepted: Excepted) {
    this.#node = node
    this.#engine = engine
    this.#excepted = excepted
  }

  /** To all nodes; where it comes back to this one too, not to that member. */
  async send (topic: string, content: Content, except: Member | undefined): Promise<void> {
    this.#check()
    const sequence = this.#counts.next(topic)
    if (except !== undefined && this.#engine.ordering === 'engine') this.#excepted.put(topic, sequence, except)
    try {
      await this.#engine.publish(topic, seal({ flags: content.flags, node: this.#node, sequence, payload: content.payload }))
    } catch (error) {
      this.#excepted.take(topic, sequence)
      throw this.unavailable(error)
    }
  }

  /** A note to all hubs. Gives how many nodes were reached, where that is known. */
  async tell (note: object): Promise<number | undefined> {
    if (this.#engine.alone === true) return 1
    this.#check()
    const sequence = this.#counts.next(CONTROL_TOPIC)
    try {
      return await this.#engine.publish(CONTROL_TOPIC, seal({ flags: CONTROL, node: this.#node, sequence, payload: Buffer.from(JSON.stringify(note)) }))
    } catch (error) {
      throw this.unavailable(error)
    }
  }

  unavailable (cause: unknown): Error {
    return new FST_WS_PUBSUB_UNAVAILABLE(this.#engine.name, cause instanceof Error ? cause.message : String(cause), { cause })
  }

  #check (): void {
    if (!this.isUp) throw this.unavailable(this.isClosed ? 'it is closed' : 'it is down')
  }
}
