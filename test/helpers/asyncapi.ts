// An application that is described, and what AsyncAPI's own parser says of the description.
import { Parser } from '@asyncapi/parser'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import websocket from '../../src'
import asyncapi from '../../src/asyncapi'
import { Route } from '../../src/asyncapi/route'
import { Schemas } from '../../src/asyncapi/schemas'
import type { AsyncAPIDocument, AsyncAPIOptions } from '../../types/asyncapi'

const parser = new Parser()

export const info = { title: 'An application', version: '1.0.0' }

export interface DescribeOptions extends Partial<AsyncAPIOptions> {
  fastify?: FastifyServerOptions;
}

/** A ready application, which does not listen. */
export async function build (t: Test, declare: (app: FastifyInstance) => unknown, options: DescribeOptions = {}): Promise<FastifyInstance> {
  const { fastify: serverOptions, ...given } = options
  const app = fastify(serverOptions)
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(asyncapi, { info, ...given })
  await declare(app)
  await app.ready()
  return app
}

/** The document of such an application, which the parser has nothing to say about. */
export async function describe (t: Test, declare: (app: FastifyInstance) => unknown, options?: DescribeOptions): Promise<AsyncAPIDocument> {
  const document = (await build(t, declare, options)).asyncapi()
  t.same(await problemsOf(document), [])
  return document
}

/** The document of one route, at `/`. */
export async function describeRoute (t: Test, schema: object, options?: DescribeOptions): Promise<AsyncAPIDocument> {
  return await describe(t, app => { app.get('/', { websocket: true, schema }, () => {}) }, options)
}

export async function problemsOf (document: object | string): Promise<string[]> {
  const { diagnostics } = await parser.parse(typeof document === 'string' ? document : JSON.stringify(document))
  return diagnostics.filter(({ severity }) => severity === 0).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

/** A route that nobody serves. */
export function routeOf (schema: object, options: { url?: string, shared?: Record<string, object>, transform?: AsyncAPIOptions['transform'] } = {}): Route {
  const { url = '/', shared = {}, transform } = options
  return new Route({ getSchemas: () => shared } as unknown as FastifyInstance, { method: 'GET', url, schema, handler () {} }, transform)
}

/** A schema as a document has it, with the schemas of that document. */
export function placed (schema: Record<string, unknown>, shared: Record<string, object> = {}) {
  const schemas = new Schemas()
  return { schemas, schema: schemas.place(schema, 'given', routeOf({}, { shared })) }
}
