// What plugins that describe an HTTP API are not to show. A route that serves websockets only is no part of one, so its schema
// says `hide`, unless the application has said something itself. Who describes websockets asks isHidden, which goes by what
// the application said.

import type { FastifySchema, RouteOptions } from 'fastify'

const kIsHidden = Symbol('fastify-wss.isHidden')

type Schema = FastifySchema & { hide?: boolean }
type Config = NonNullable<RouteOptions['config']> & { [kIsHidden]?: boolean }
type Route = Pick<RouteOptions, 'schema' | 'config'>

/** A hook may declare a route once more, under another URL, as it was left here. */
export function hide (route: Route): void {
  const config: Config = { ...route.config, [kIsHidden]: isHidden(route) }
  const schema: Schema = { hide: true, ...route.schema }
  Object.assign(route, { config, schema })
}

export function isHidden (route: Route): boolean {
  const config: Config = route.config ?? {}
  const schema: Schema = route.schema ?? {}
  return config[kIsHidden] ?? schema.hide === true
}
