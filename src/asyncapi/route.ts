// A route as it was declared, and what its schema says, as far as it can be said in JSON.

import type { FastifyInstance, RouteOptions } from 'fastify'
import type { AsyncAPIOptions, SchemaPart } from '../../types/asyncapi'
import { isHidden } from '../hidden'
import { toJsonSchema } from './json-schema'
import { Source } from './source'
import { isSchema } from './subschemas'
import type { JsonSchema } from './subschemas'

/** What is read of a route's schema; what it is has been up to the application. */
export interface Description {
  summary?: unknown
  description?: unknown
  operationId?: unknown
  deprecated?: unknown
  tags?: unknown
  security?: unknown
  messages?: unknown
}

export class Route {
  readonly url: string
  readonly #instance: FastifyInstance
  readonly #options: RouteOptions
  readonly #transform: AsyncAPIOptions['transform']
  #shared: Source[] | undefined

  constructor (instance: FastifyInstance, options: RouteOptions, transform: AsyncAPIOptions['transform']) {
    this.url = options.url
    this.#instance = instance
    this.#options = options
    this.#transform = transform
  }

  get isHidden (): boolean {
    return isHidden(this.#options)
  }

  get description (): Description {
    return this.#options.schema ?? {}
  }

  get hasReply (): boolean {
    return this.#messages.reply === true
  }

  /** Fastify takes `query` too. */
  schemaOf (part: SchemaPart): JsonSchema | undefined {
    const { params, querystring, query, headers } = (this.#options.schema ?? {}) as Record<string, unknown>
    const { receive, send } = this.#messages
    const given = { params, querystring: querystring ?? query, headers, receive, send }[part]
    return given == null ? undefined : toJsonSchema(given, part, this.url, this.#transform)
  }

  /** The schemas of app.addSchema() that the route sees. */
  get shared (): Source[] {
    this.#shared ??= Object.values(this.#instance.getSchemas()).filter(isSchema).map(schema => new Source(schema))
    return this.#shared
  }

  get #messages (): JsonSchema {
    const { messages } = this.description
    return isSchema(messages) ? messages : {}
  }
}
