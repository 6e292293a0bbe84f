// perMessageDeflate of a route: the compression that ws agrees on with its clients.

import type { ServerOptions } from 'ws'
import { check, checkKeys } from '../check'
import type { Rule } from '../check'
import { SAFE_DEFLATE } from '../safe-deflate'
import type { PolicyMaker } from '.'

const COMPRESSION: Rule = {
  isValid: value => value === 'safe' || typeof value === 'boolean' || (typeof value === 'object' && !Array.isArray(value)),
  text: "must be a boolean, 'safe' or an object"
}

const KEYS = [
  'serverNoContextTakeover', 'clientNoContextTakeover', 'serverMaxWindowBits', 'clientMaxWindowBits', 'threshold', 'concurrencyLimit',
  'zlibDeflateOptions', 'zlibInflateOptions'
]

export const perMessageDeflate: PolicyMaker = () => ({
  name: 'perMessageDeflate',
  only: 'route',
  read (value, name) {
    check(name, value, COMPRESSION)
    if (typeof value === 'object') checkKeys(name, value ?? {}, KEYS)
    const handshake: ServerOptions = { perMessageDeflate: value === 'safe' ? SAFE_DEFLATE : (value as ServerOptions['perMessageDeflate']) ?? false }
    return () => ({ handshake })
  }
})
