// In an ES module the default import is the plugin itself, as it is at run time.

import Fastify from 'fastify'
import websocket from 'fastify-wss'
import asyncapi, { asyncapi as named, type AsyncAPIDocument, type AsyncAPIOptions } from 'fastify-wss/asyncapi'
import { expectType } from '../expect-type.js'

const options: AsyncAPIOptions = { info: { title: 'An application', version: '1.0.0' } }
const app = Fastify()
await app.register(websocket)
await app.register(asyncapi, options)
await app.register(named, options)
expectType<AsyncAPIDocument>().from(app.asyncapi())
