// maxPayload of a route: the longest message that ws takes from its clients.

import { check } from '../check'
import type { Rule } from '../check'
import type { PolicyMaker } from '.'

// ws reads it as a whole number of 32 bits: a larger or a fractional one would be no limit at all.
const PAYLOAD: Rule = {
  isValid: value => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 31,
  text: 'must be a whole number of bytes up to 2147483647; 0 is no limit'
}

export const maxPayload: PolicyMaker = () => ({
  name: 'maxPayload',
  only: 'route',
  read (value, name) {
    check(name, value, PAYLOAD)
    const handshake = { maxPayload: Number(value ?? 0) }
    return () => ({ handshake })
  }
})
