// What a test of an engine works on: nodes, each with an engine of its own, that note what they are brought.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Engine, EngineStatus } from '../../types/pubsub'
import type { Conformance } from '../../types/pubsub-conformance'
import { setTimeout } from '../clock'

export interface Node {
  engine: Engine
  got: Array<{ topic: string, text: string, id: string | undefined }>
  statuses: EngineStatus[]
}

// Milliseconds.
const LIMIT = 5000
const STEP = 5

/** The nodes of one test. Where an engine is alone there is only one, and what it publishes comes back or not at all. */
export class Bench {
  readonly options: Conformance
  readonly #nodes: Node[] = []
  readonly #tag = randomBytes(6).toString('hex')

  constructor (options: Conformance) {
    this.options = options
  }

  /** Topics of other tests, and of earlier runs, have other names. */
  topic (name = ''): string {
    return `${this.#tag} ${name}`
  }

  async node (...topics: string[]): Promise<Node> {
    const node: Node = { engine: this.options.create(), got: [], statuses: [] }
    await node.engine.start({
      deliver (topic, message, id) { node.got.push({ topic, text: Buffer.from(message).toString('latin1'), id }) },
      status (status) { node.statuses.push(status) },
      timeout: this.limit
    })
    this.#nodes.push(node)
    for (const topic of topics) await node.engine.subscribe(topic)
    return node
  }

  get limit (): number {
    return this.options.timeout ?? LIMIT
  }

  async until (probe: () => boolean, what: string): Promise<void> {
    for (let waited = 0; !probe(); waited += STEP) {
      assert.ok(waited < this.limit, `not within ${this.limit} ms: ${what}`)
      await new Promise(resolve => { setTimeout(resolve, STEP) })
    }
  }

  async close (): Promise<void> {
    for (const { engine } of this.#nodes) await engine.close()
  }
}
