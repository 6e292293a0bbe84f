// maxConnections: how many connections there may be. In all, before any hook; from one address, before the hooks that the
// application adds after the plugin; to one route and of one key (a user, a tenant), after all hooks.

import type { FastifyError } from '@fastify/error'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { check, checkKeys, COUNT, fail, FUNCTION, OBJECT } from '../check'
import { FST_WS_TOO_MANY_CONNECTIONS, FST_WS_TOO_MANY_OF_KEY } from '../errors'
import { Places, RETRY_AFTER } from '../places'
import type { Policy } from '../policy'
import { upgradeOf } from '../upgrade'
import type { PendingUpgrade } from '../upgrade'
import type { PolicyMaker, Registration } from '.'

type Key = (request: FastifyRequest) => unknown

interface Limits {
  total?: number | null
  perIp?: number | null
  perRoute?: number | null
  key?: Key | null
  perKey?: number | null
}

const NAME = 'maxConnections'
const OF_ROUTE = ['perRoute', 'key', 'perKey'] as const

export const maxConnections: PolicyMaker = registration => {
  const places = new Map<Key, Places>()
  let pluginWide: Limits = {}
  return {
    name: NAME,
    read (value, name) {
      if (value == null || value === false) return
      const isOfPlugin = name === NAME
      const limits = { ...pluginWide, ...readLimits(name, value, isOfPlugin) }
      if (limits.key != null && limits.perKey == null) fail(`${name}.key`, 'needs perKey', limits.key)
      if (limits.perKey != null && limits.key == null) fail(`${name}.perKey`, 'needs key', limits.perKey)
      if (isOfPlugin) {
        pluginWide = limits
        limitAll(limits, registration)
      }
      if (limits.perRoute != null || limits.key != null) return () => limitRoute(limits, places)
    }
  }
}

function readLimits (name: string, value: unknown, isOfPlugin: boolean): Limits {
  check(name, value, OBJECT)
  const limits = value as Limits
  checkKeys(name, limits, isOfPlugin ? ['total', 'perIp', ...OF_ROUTE] : OF_ROUTE)
  for (const key of ['total', 'perIp', 'perRoute', 'perKey'] as const) check(`${name}.${key}`, limits[key], COUNT)
  check(`${name}.key`, limits.key, FUNCTION)
  return limits
}

function limitAll ({ total, perIp }: Limits, { fastify, enrolment }: Registration): void {
  if (total != null) {
    const all = new Places()
    enrolment.gates.push(upgrade => {
      if (all.take('', total, upgrade)) return
      upgrade.rawResponse.setHeader('retry-after', RETRY_AFTER)
      return new FST_WS_TOO_MANY_CONNECTIONS()
    })
  }
  if (perIp != null) fastify.addHook('onRequest', limitAddress(perIp))
}

// Over a Unix socket there is no address.
function limitAddress (limit: number): (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void {
  const addresses = new Places()
  return function countAddress (request, reply, done) {
    const upgrade = upgradeOf(request.raw)
    if (upgrade === undefined || !request.ip || addresses.take(request.ip, limit, upgrade)) done()
    else done(later(reply, new FST_WS_TOO_MANY_CONNECTIONS()))
  }
}

function limitRoute ({ perRoute, key, perKey }: Limits, places: Map<Key, Places>): Policy {
  const ofRoute = new Places()
  return {
    async admit (request, reply) {
      const upgrade = upgradeOf(request.raw) as PendingUpgrade
      if (perRoute != null && !ofRoute.take('', perRoute, upgrade)) throw later(reply, new FST_WS_TOO_MANY_CONNECTIONS())
      if (key == null || perKey == null) return
      const of = await key(request)
      if (of != null && !placesOf(key, places).take(String(of), perKey, upgrade)) throw later(reply, new FST_WS_TOO_MANY_OF_KEY())
    }
  }
}

// A function that several routes share counts for all of them.
function placesOf (key: Key, places: Map<Key, Places>): Places {
  const known = places.get(key) ?? new Places()
  places.set(key, known)
  return known
}

function later (reply: FastifyReply, error: FastifyError): FastifyError {
  reply.header('retry-after', RETRY_AFTER)
  return error
}
