// What the application does on a channel: it receives what the route declares as `receive`, and sends what it declares as
// `send`.

import { FST_WS_ASYNCAPI_UNKNOWN_REFERENCE } from '../errors'
import { ACTIONS, tagsOf } from './channel'
import type { Action, Channel } from './channel'
import { isSchema } from './subschemas'

export type SecuritySchemes = Record<string, object>

export function operationsOf (channel: Channel, key: string, securitySchemes: SecuritySchemes): Map<Action, object> {
  const { summary, tags, deprecated } = channel.route.description
  const operations = new Map<Action, object>()
  for (const action of ACTIONS) {
    const messages = channel.messagesFor(action)
    if (messages === undefined) continue
    operations.set(action, {
      action,
      channel: { $ref: `#/channels/${key}` },
      summary,
      tags: tagsOf(tags),
      security: securityOf(channel, securitySchemes),
      messages: messages.map(message => ({ $ref: `#/channels/${key}/messages/${message}` })),
      'x-deprecated': deprecated
    })
  }
  return operations
}

// In OpenAPI one of a list has to be satisfied, each as a whole; AsyncAPI knows no "as a whole". A reference has no scopes.
function securityOf ({ route }: Channel, securitySchemes: SecuritySchemes): object[] | undefined {
  const { security } = route.description
  if (!Array.isArray(security)) return
  return security.filter(isSchema).flatMap(requirement => Object.entries(requirement)).map(([name, scopes]) => {
    const scheme = Object.hasOwn(securitySchemes, name) ? securitySchemes[name] : undefined
    if (scheme === undefined) throw new FST_WS_ASYNCAPI_UNKNOWN_REFERENCE(route.url, `the security scheme ${name}`)
    return Array.isArray(scopes) && scopes.length > 0 ? { ...scheme, scopes } : { $ref: `#/components/securitySchemes/${name}` }
  })
}
