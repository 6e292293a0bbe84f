// The document: AsyncAPI 3.0.0, of what the options say and of the routes.

import type { AsyncAPIDocument } from '../../types/asyncapi'
import { addressesOf } from './address'
import { Channel } from './channel'
import { capitalise, Keys } from './keys'
import { operationsOf } from './operations'
import type { Settings } from './options'
import type { Route } from './route'
import { Schemas } from './schemas'

export function createDocument ({ id, info, servers, defaultContentType, securitySchemes }: Settings, routes: readonly Route[]): AsyncAPIDocument {
  const schemas = new Schemas()
  const { channels, operations } = describeRoutes(routes, schemas, securitySchemes)
  const document = {
    asyncapi: '3.0.0',
    id,
    info,
    servers,
    defaultContentType,
    channels: Object.fromEntries(channels),
    operations: Object.fromEntries(operations),
    components: { schemas: Object.fromEntries(schemas.components), securitySchemes }
  }
  // What is served, no more: nothing that is undefined, and nothing that the application has a hand on.
  return JSON.parse(JSON.stringify(document))
}

function describeRoutes (routes: readonly Route[], schemas: Schemas, securitySchemes: Settings['securitySchemes']) {
  const keys = { channels: new Keys(), operations: new Keys() }
  const channels = new Map<string, object>()
  const operations = new Map<string, object>()
  for (const route of routes.filter(({ isHidden }) => !isHidden)) {
    for (const address of addressesOf(route.url)) {
      const channel = new Channel(route, address, schemas)
      const key = keys.channels.take(channel.name)
      for (const [action, operation] of operationsOf(channel, key, securitySchemes)) {
        operations.set(keys.operations.take(action + capitalise(key)), operation)
      }
      channels.set(key, channel.describe())
    }
  }
  return { channels, operations }
}
