// What fastify-wss/asyncapi has, and what it adds to Fastify where it is imported, @fastify/swagger or not.

import '@fastify/swagger'
import { fastify } from 'fastify'
import websocket from 'fastify-wss'
import plugin, { asyncapi, type AsyncAPIDocument, type AsyncAPIOptions, type SchemaPart } from 'fastify-wss/asyncapi'
import { expectType } from '../expect-type'

const app = fastify()
app.register(websocket)
app.register(asyncapi, { info: { title: 'a', version: '1', license: { name: 'MIT' } } })
app.register(plugin, {
  info: { title: 'a', version: '1' },
  id: 'urn:a',
  servers: { production: { host: 'example.com', protocol: 'wss', description: 'live' } },
  defaultContentType: 'application/json',
  securitySchemes: { key: { type: 'httpApiKey', in: 'header', name: 'x-key' } },
  routePrefix: '/asyncapi',
  transform (schema, { part, url }) {
    expectType<SchemaPart>().from(part)
    expectType<string>().from(url)
    return schema
  }
})

// @ts-expect-error A document has a title.
app.register(asyncapi, { info: { version: '1' } })
// @ts-expect-error It has info.
app.register(asyncapi, {})
// @ts-expect-error There is no such option.
const options: AsyncAPIOptions = { info: { title: 'a', version: '1' }, prefix: '/x' }
// @ts-expect-error A prefix is a string.
app.register(asyncapi, { ...options, routePrefix: true })

app.get('/', {
  websocket: true,
  schema: { summary: 'a', description: 'b', tags: ['c'], operationId: 'd', security: [{ key: [] }], deprecated: true, hide: false }
}, () => {})

expectType<AsyncAPIDocument>().from(app.asyncapi())
expectType<AsyncAPIDocument>().from(app.asyncapi({ yaml: false }))
expectType<string>().from(app.asyncapi({ yaml: true }))
expectType<AsyncAPIDocument | string>().from(app.asyncapi({ yaml: Boolean(1) }))
expectType<string>().from(app.asyncapi().info.title)
