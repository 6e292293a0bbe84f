// Requests and replies among the messages of a route with `messages.reply`. Whoever asks gives an object the member `requestId`,
// whoever answers gives his that id as `replyTo`: beside what the schema of a message has, and whatever else it forbids.

import type { Message } from './messages'
import type { Schemas } from './schemas'
import { isSchema } from './subschemas'

const MEMBERS = {
  requestId: { type: 'string', description: 'Asks for a reply, which carries it as replyTo.' },
  replyTo: { type: 'string', description: 'The requestId of the message that this one replies to.' }
}

export function correlate (message: Message, schemas: Schemas): Message {
  const { definitions, $defs, ...schema } = schemas.follow(message.payload).schema
  const { type = 'object', properties, required } = schema
  if (type !== 'object') return message
  const member = Array.isArray(required) && required.includes('replyTo') ? 'replyTo' : 'requestId'
  const correlationId = { location: `$message.payload#/${member}`, description: MEMBERS[member].description }
  const payload = isSchema(properties)
    ? { ...schema, properties: { ...MEMBERS, ...properties } }
    : { allOf: [message.payload, { type: 'object', properties: MEMBERS }] }
  return { ...message, correlationId, payload }
}
