// verifyClient of a route: who is let in, after the hooks.

import type { ServerOptions } from 'ws'
import { check, FUNCTION_OR_OFF } from '../check'
import type { PolicyMaker } from '.'

export const verifyClient: PolicyMaker = () => ({
  name: 'verifyClient',
  only: 'route',
  read (value, name) {
    check(name, value, FUNCTION_OR_OFF)
    const handshake: ServerOptions = { verifyClient: (value || undefined) as ServerOptions['verifyClient'] }
    return () => ({ handshake })
  }
})
