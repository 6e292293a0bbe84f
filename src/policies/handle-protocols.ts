// handleProtocols of a route: which of the subprotocols that a client offers is spoken.

import type { ServerOptions } from 'ws'
import { check, FUNCTION_OR_OFF } from '../check'
import type { PolicyMaker } from '.'

export const handleProtocols: PolicyMaker = () => ({
  name: 'handleProtocols',
  only: 'route',
  read (value, name) {
    check(name, value, FUNCTION_OR_OFF)
    const handshake: ServerOptions = { handleProtocols: (value || undefined) as ServerOptions['handleProtocols'] }
    return () => ({ handshake })
  }
})
