// What a socket has missed, read from the history page by page, and given to it. What is there twice is given once, and what is
// none of our messages, or cannot be made a message for clients, is left out.

import type { RouteSocket } from '../../types'
import type { History, Subscribed } from '../../types/pubsub'
import type { CatchUp } from './catch-up'
import { Content } from './content'
import { unseal } from './envelope'
import type { Hub } from './hub'
import { Heard } from './sequences'
import type { Topic } from './topic'

const PAGE = 100

/** checkStill throws where nobody wants it any more. */
export async function replay (hub: Hub, topic: Topic, catchUp: CatchUp, checkStill: () => void): Promise<Subscribed> {
  const history = hub.settings.engine.history as History
  const heard = new Heard()
  let gap = false
  for (let replayed = 0; ;) {
    const page = await history.read(topic.name, catchUp.floor, PAGE).catch(error => { throw hub.outbound.unavailable(error) })
    checkStill()
    if (!page.isComplete) {
      gap = true
      hub.tellGap([topic.name], { reason: 'history', socket: catchUp.member.socket as RouteSocket })
    }
    for (const { id, message } of page.messages) if (give(hub, topic, catchUp, heard, id, message)) replayed++
    if (page.messages.length < PAGE) return { replayed, gap }
  }
}

function give (hub: Hub, topic: Topic, catchUp: CatchUp, heard: Heard, id: string, bytes: Uint8Array): boolean {
  catchUp.floor = id
  const envelope = unseal(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  if (envelope === undefined || !heard.hear(envelope.node, envelope.sequence)) return false
  const message = hub.delivery.messageOf(topic, Content.received(envelope.flags, envelope.payload), id)
  if (message === undefined) return false
  catchUp.give(id, message)
  return true
}
