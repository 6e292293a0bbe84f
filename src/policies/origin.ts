// origin: whose pages may open a websocket. A browser lets every page open one with the user's cookies and tells the page's
// origin; other clients tell none, and pass unless requireOrigin is set.
// Origins are compared as RFC 6454 has it: scheme, host and port, serialised in the one canonical way. What is no such origin
// matches nothing but a function.

import type { FastifyRequest } from 'fastify'
import { BOOLEAN, check, fail } from '../check'
import { FST_WS_ORIGIN_MISSING, FST_WS_ORIGIN_REFUSED } from '../errors'
import type { PolicyMaker } from '.'

type Allows = (given: string, request: FastifyRequest) => unknown

const RULE = "must be true, 'same-origin', an origin such as 'https://example.com', a RegExp, a list of those or a function"

export const origin: PolicyMaker = () => ({
  name: 'origin',
  also: ['requireOrigin'],
  read (value, name, { requireOrigin }) {
    const requireName = name.replace('origin', 'requireOrigin')
    check(requireName, requireOrigin, BOOLEAN)
    if (value == null || value === false) {
      if (requireOrigin === true) fail(requireName, 'needs origin', requireOrigin)
      return
    }
    const allows = readRule(name, value)
    return () => ({
      async onRequest (request) {
        const given = originOf(request)
        if (given === undefined && requireOrigin !== true) return
        if (given === undefined) throw new FST_WS_ORIGIN_MISSING()
        if (!await allows(given, request)) throw new FST_WS_ORIGIN_REFUSED(given)
      }
    })
  }
})

function readRule (name: string, value: unknown): Allows {
  if (typeof value === 'function') return value as Allows
  if (value === true) return isSameOrigin
  if (Array.isArray(value) && value.length > 0) {
    const rules = value.map((each, index) => readOne(`${name}[${index}]`, each))
    return (given, request) => rules.some(rule => rule(given, request))
  }
  return readOne(name, value)
}

function readOne (name: string, value: unknown): Allows {
  if (value === 'same-origin') return isSameOrigin
  if (value instanceof RegExp) return matches(value)
  const allowed = typeof value === 'string' && !value.includes('*') ? canonical(value) : undefined
  if (allowed === undefined) fail(name, RULE, value)
  return given => canonical(given) === allowed
}

// Behind a proxy that is trusted (trustProxy) these are what the client asked for.
function isSameOrigin (given: string, { protocol, host }: FastifyRequest): boolean {
  const own = canonical(`${protocol}://${host}`)
  return own !== undefined && own === canonical(given)
}

// Its own copy: with the flags g and y each test begins where the last one ended.
function matches (pattern: RegExp): Allows {
  const own = new RegExp(pattern)
  return given => {
    own.lastIndex = 0
    const tested = canonical(given)
    return tested !== undefined && own.test(tested)
  }
}

/** Scheme and host in lower case, without the default port; an opaque origin is 'null'. Undefined for whatever else. */
function canonical (text: string): string | undefined {
  if (text === 'null') return text
  if (!/^[a-z][a-z\d+.-]*:\/\/[^/?#@\\\s,]*$/i.test(text) || !URL.canParse(text)) return
  const { protocol, host } = new URL(text)
  return `${protocol}//${host.toLowerCase()}`
}

// The name that the header had in version 8 of the protocol, which ws speaks too.
function originOf ({ headers }: FastifyRequest): string | undefined {
  const old = headers['sec-websocket-origin']
  return headers.origin ?? (old === undefined ? undefined : String(old))
}
