// What the application asked for, checked once, at registration.

import type { AsyncAPIOptions } from '../../types/asyncapi'
import { check, checkKeys, fail, FUNCTION, OBJECT } from '../check'
import type { Rule } from '../check'

export interface Settings extends Pick<AsyncAPIOptions, 'id' | 'info' | 'servers' | 'transform'> {
  defaultContentType: string
  securitySchemes: Record<string, object>
  /** Undefined where nothing is served. */
  routePrefix: string | undefined
}

const KEYS = ['id', 'info', 'servers', 'defaultContentType', 'securitySchemes', 'routePrefix', 'transform']

const TEXT: Rule = { isValid: value => typeof value === 'string' && value !== '', text: 'must be a string that says something' }

const ROUTE_PREFIX: Rule = {
  isValid: value => value === false || (typeof value === 'string' && /^(\/[\w.~-]+)+$/.test(value)),
  text: "must be false, or a path such as '/asyncapi', without a '/' at its end"
}

const SECURITY_SCHEMES: Rule = {
  isValid: value => OBJECT.isValid(value) && Object.entries(value as object).every(([name, scheme]) => /^[\w.-]+$/.test(name) && scheme !== null && OBJECT.isValid(scheme)),
  text: "must be an object of objects, whose names are made of letters, digits, '_', '-' and '.'"
}

export function readOptions (given: AsyncAPIOptions): Settings {
  // Fastify's own are not ours to judge.
  const { prefix, logLevel, logSerializers, ...ours } = given as unknown as Record<string, unknown>
  checkKeys('asyncapi', ours, KEYS)
  const { id, info, servers, defaultContentType, securitySchemes, routePrefix, transform } = given
  if (info == null) fail('info', 'must be there, with a title and a version', info)
  check('info', info, OBJECT)
  for (const name of ['title', 'version'] as const) if (!TEXT.isValid(info[name])) fail(`info.${name}`, TEXT.text, info[name])
  check('id', id, TEXT)
  check('servers', servers, OBJECT)
  check('defaultContentType', defaultContentType, TEXT)
  check('securitySchemes', securitySchemes, SECURITY_SCHEMES)
  check('routePrefix', routePrefix, ROUTE_PREFIX)
  check('transform', transform, FUNCTION)
  return {
    id: id ?? undefined,
    info,
    servers: servers ?? undefined,
    defaultContentType: defaultContentType ?? 'application/json',
    securitySchemes: securitySchemes ?? {},
    routePrefix: routePrefix || undefined,
    transform: transform ?? undefined
  }
}
