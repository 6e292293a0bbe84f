// What an option may be. A wrong one is an error that names the option, the rule and the value; null and undefined are an
// option that is not set.

import { inspect } from 'node:util'
import { LONGEST_DELAY } from './clock'
import { FST_WS_INVALID_OPTION } from './errors'

export interface Rule {
  isValid: (value: unknown) => boolean
  /** What follows the name of the option in the error. */
  text: string
}

export function check (name: string, value: unknown, { isValid, text }: Rule): void {
  if (value != null && !isValid(value)) fail(name, text, value)
}

export function fail (name: string, rule: string, value: unknown): never {
  throw new FST_WS_INVALID_OPTION(name, rule, inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 40 }))
}

/** Inside an object of ours an unknown key is a mistake. */
export function checkKeys (name: string, value: object, known: readonly string[]): void {
  for (const [key, given] of Object.entries(value)) {
    if (!known.includes(key)) fail(`${name}.${key}`, `is not known; there are ${known.join(', ')}`, given)
  }
}

/** An option that is an object of these keys, or true for what they are by default. Undefined where it is off. */
export function readObject<T extends object> (name: string, value: unknown, keys: readonly string[]): Partial<T> | undefined {
  if (value == null || value === false) return
  if (value === true) return {}
  check(name, value, { ...OBJECT, text: 'must be an object, or true or false' })
  checkKeys(name, value, keys)
  return value
}

export const FUNCTION: Rule = { isValid: value => typeof value === 'function', text: 'must be a function' }

export const FUNCTION_OR_OFF: Rule = { isValid: value => value === false || typeof value === 'function', text: 'must be a function or false' }

export const OBJECT: Rule = { isValid: value => typeof value === 'object' && !Array.isArray(value), text: 'must be an object' }

export const BOOLEAN: Rule = { isValid: value => typeof value === 'boolean', text: 'must be a boolean' }

export const DELAY: Rule = {
  isValid: value => typeof value === 'number' && value > 0 && value <= LONGEST_DELAY,
  text: `must be a number of milliseconds above 0 and up to ${LONGEST_DELAY}`
}

export const SIZE: Rule = { isValid: value => typeof value === 'number' && value >= 0, text: 'must be a number of bytes' }

export const COUNT: Rule = { isValid: value => Number.isSafeInteger(value) && Number(value) > 0, text: 'must be a whole number above 0' }

/** RFC 6455 section 7.4, as ws allows them. */
export const CLOSE_CODE: Rule = {
  isValid: value => Number.isInteger(value) && isSendable(Number(value)),
  text: 'must be a close code that an endpoint may send: 1000 to 1014 but 1004, 1005 and 1006, or 3000 to 4999'
}

function isSendable (code: number): boolean {
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
}

/** RFC 6455 section 5.5: a control frame carries 125 bytes, two of them the code. */
export const REASON: Rule = {
  isValid: value => typeof value === 'string' && Buffer.byteLength(value) <= 123,
  text: 'must be a string of at most 123 bytes'
}
