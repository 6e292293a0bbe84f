// What one node asks all others: how many sockets subscribe to a topic, and to close them. The question goes to a topic of the
// hubs' own, and so do the answers. Who has not answered in time is counted as missing, as far as the engine knows who was asked.

import type { Counted } from '../../types/pubsub'
import { clearTimeout, setTimeout } from '../clock'

/** What is asked. Without a close: only how many. */
export interface Question {
  topic: string
  close?: { code: number | undefined, reason: string | undefined }
}

type Note = { ask: number, question: Question } | { answer: number, of: number, sockets: number }

interface Asked {
  sockets: number
  nodes: number
  /** How many nodes were asked, this one among them; as soon as that is known. */
  expected: number | undefined
  finish: () => void
}

export interface Hubs {
  node: number
  /** Of this node: does what is asked, and says of how many sockets. */
  answer: (question: Question) => number
  /** To all hubs. Gives how many nodes were reached. */
  tell: (note: object) => Promise<number | undefined>
}

export class Nodes {
  readonly #hubs: Hubs
  readonly #asked = new Map<number, Asked>()
  #count = 0

  constructor (hubs: Hubs) {
    this.#hubs = hubs
  }

  async ask (question: Question, timeout: number): Promise<Counted> {
    const ask = ++this.#count
    const sockets = this.#hubs.answer(question)
    const finished = new Promise<void>(resolve => { this.#asked.set(ask, { sockets, nodes: 1, expected: undefined, finish: resolve }) })
    const asked = this.#asked.get(ask) as Asked
    const timer = setTimeout(asked.finish, timeout)
    try {
      asked.expected = await this.#hubs.tell({ ask, question } satisfies Note)
      if (asked.nodes === asked.expected) asked.finish()
      await finished
    } finally {
      clearTimeout(timer)
      this.#asked.delete(ask)
    }
    const { nodes, expected } = asked
    return { sockets: asked.sockets, nodes, missing: expected === undefined ? undefined : Math.max(0, expected - nodes) }
  }

  /** A note of another hub. */
  hear (node: number, payload: Buffer): void {
    const note = JSON.parse(payload.toString()) as Note
    if ('ask' in note) {
      const sockets = this.#hubs.answer(note.question)
      this.#hubs.tell({ answer: note.ask, of: node, sockets } satisfies Note).catch(() => {})
    } else if (note.of === this.#hubs.node) {
      this.#add(note.answer, note.sockets)
    }
  }

  close (): void {
    for (const { finish } of this.#asked.values()) finish()
  }

  #add (ask: number, sockets: number): void {
    const asked = this.#asked.get(ask)
    if (asked === undefined) return
    asked.sockets += sockets
    asked.nodes++
    if (asked.nodes === asked.expected) asked.finish()
  }
}
