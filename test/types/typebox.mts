// A type provider infers what the request holds from the schema, in websocket handlers too. TypeBox is ESM only.

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { fastify } from 'fastify'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  FastifySchema,
  RawRequestDefaultExpression,
  RawServerDefault,
  RequestGenericInterface
} from 'fastify'
import type { IncomingMessage } from 'node:http'
import { Type } from 'typebox'
import websocket, { type WebSocket } from 'fastify-wss'
import { expectType } from './expect-type.js'

type TypedHeaders = IncomingMessage['headers'] & { auth: string }

const app = fastify()
await app.register(websocket)

const schema = {
  params: Type.Object({ foo: Type.String() }),
  querystring: Type.Object({ search: Type.String() }),
  headers: Type.Object({ auth: Type.String() })
} satisfies FastifySchema

const typebox = app.withTypeProvider<TypeBoxTypeProvider>()
typebox.route({
  method: 'GET',
  url: '/typebox/both',
  schema,
  handler (request) {
    expectType<{ foo: string }>().from(request.params)
  },
  wsHandler (socket, request) {
    expectType<WebSocket>().from(socket)
    expectType<{ foo: string }>().from(request.params)
    expectType<{ search: string }>().from(request.query)
    expectType<TypedHeaders>().from(request.headers)
  }
})
typebox.route({
  method: 'GET',
  url: '/typebox/only',
  schema,
  websocket: true,
  handler (socket, request) {
    expectType<WebSocket>().from(socket)
    expectType<{ foo: string }>().from(request.params)
    expectType<{ search: string }>().from(request.query)
    expectType<TypedHeaders>().from(request.headers)
  }
})
typebox.get('/typebox/shorthand', { websocket: true, schema }, (socket, request) => {
  expectType<WebSocket>().from(socket)
  expectType<{ foo: string }>().from(request.params)
  expectType<{ search: string }>().from(request.query)
})
typebox.get('/typebox/none', { websocket: true }, function (socket, request) {
  expectType<FastifyInstance>().from(this)
  expectType<FastifyRequest<RequestGenericInterface, RawServerDefault, RawRequestDefaultExpression, FastifySchema,
    TypeBoxTypeProvider, unknown, FastifyBaseLogger>>().from(request)
  expectType<unknown>().from(request.params)
  expectType<IncomingMessage['headers']>().from(request.headers)
})
