import type { FastifyPluginAsync } from 'fastify'

type AsyncAPIPlugin = FastifyPluginAsync<asyncapi.AsyncAPIOptions>

/** Register it behind `fastify-wss`, on the same instance or below, and before the routes. */
declare namespace asyncapi {
  /** Which schema of a route. `receive` and `send` are those of `messages`, told from the side of the application. */
  export type SchemaPart = 'params' | 'querystring' | 'headers' | 'receive' | 'send'

  /** AsyncAPI 3.0, Info Object. */
  export interface Info {
    title: string
    version: string
    [field: string]: unknown
  }

  /** AsyncAPI 3.0, Server Object. */
  export interface Server {
    /** With the port, and without the protocol: `example.com:8080`. */
    host: string
    /** `ws`, or `wss` for TLS. */
    protocol: string
    [field: string]: unknown
  }

  /** A document of AsyncAPI 3.0, of nothing but JSON. */
  export interface AsyncAPIDocument {
    asyncapi: string
    id?: string
    info: Info
    servers?: Record<string, Server>
    defaultContentType: string
    channels: Record<string, Record<string, any>>
    operations: Record<string, Record<string, any>>
    components: {
      schemas: Record<string, Record<string, any>>
      securitySchemes: Record<string, Record<string, any>>
    }
  }

  /** What is wrong here is `FST_WS_INVALID_OPTION`. */
  export interface AsyncAPIOptions {
    info: Info

    /** A URI that names the application. */
    id?: string

    /** Where it can be reached, by name. Default: none is told. */
    servers?: Record<string, Server>

    /** What messages are, unless something else is told. Default: `application/json`. */
    defaultContentType?: string

    /** AsyncAPI 3.0, Security Scheme Objects, by the names that `security` of a route's schema uses. Default: none. */
    securitySchemes?: Record<string, object>

    /**
     * Serves, for `/asyncapi`: the document at `/asyncapi.json` and `/asyncapi.yaml`, and at `/asyncapi` a page that shows it. The
     * second needs the package `yaml`, the third `@asyncapi/web-component`; without it they are answered with 501
     * (`FST_WS_ASYNCAPI_NO_PACKAGE`).
     *
     * Default: false, nothing is served.
     */
    routePrefix?: string | false

    /**
     * Makes a JSON schema of what a route has as a schema; one that is one already is given back. It is called for each schema of
     * each websocket route that is not hidden.
     *
     * Not needed for JSON schemas, those of TypeBox and fluent-json-schema, and those that can tell themselves what they are in
     * JSON Schema (Zod from 4.2 on): standardschema.dev/json-schema.
     */
    transform?: (schema: any, route: { part: SchemaPart, url: string }) => unknown
  }

  export const asyncapi: AsyncAPIPlugin
  export { asyncapi as default }
}

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Of `fastify-wss/asyncapi`: what there is by websocket, as AsyncAPI 3.0. It is made at the first call, and the same object
     * from then on.
     *
     * - `yaml`: as text. Needs the package `yaml` (`FST_WS_ASYNCAPI_NO_PACKAGE`). Default: false.
     *
     * Throws `FST_WS_ASYNCAPI_NOT_READY` before the application is ready, and where something is wrong with the schema of a route
     * `FST_WS_ASYNCAPI_UNKNOWN_REFERENCE` or `FST_WS_ASYNCAPI_NO_JSON_SCHEMA`.
     */
    asyncapi: {
      (options?: { yaml?: false }): asyncapi.AsyncAPIDocument
      (options: { yaml: true }): string
      (options: { yaml: boolean }): asyncapi.AsyncAPIDocument | string
    }
  }

  // Those of @fastify/swagger, letter for letter: where both are installed they are one.
  interface FastifySchema {
    hide?: boolean
    deprecated?: boolean
    tags?: readonly string[]
    description?: string
    summary?: string
    security?: ReadonlyArray<{ [securityLabel: string]: readonly string[] }>
    operationId?: string
  }
}

declare function asyncapi (...params: Parameters<AsyncAPIPlugin>): ReturnType<AsyncAPIPlugin>

export = asyncapi
