// upgrade of a route: the application answers upgrades itself, in the place of ws.

import { check, fail, FUNCTION } from '../check'
import type { TakeOver } from '../policy'
import type { PolicyMaker } from '.'

// What ws would go by.
const IN_VAIN = ['maxPayload', 'perMessageDeflate', 'handleProtocols', 'verifyClient']

export const upgrade: PolicyMaker = () => ({
  name: 'upgrade',
  only: 'route',
  read (value, name, beside) {
    if (value == null || value === false) return
    check(name, value, FUNCTION)
    for (const other of IN_VAIN) {
      if (beside[other] !== undefined) fail(`websocket.${other}`, `has no effect beside ${name}, which takes the place of ws`, beside[other])
    }
    return () => ({ takeOver: value as TakeOver })
  }
})
