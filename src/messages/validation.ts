// Whether a value is one that the schema allows, as the function of a compiler tells: Fastify's documentation has three ways, and a
// promise of each. What it gives is the value to go on with, which may be another one.

import { isThenable } from '../thenable'
import type { Validator } from './compilers'
import { againstSchema, invalid } from './invalid'
import { compileUnion } from './union'
import type { Find } from './union'

/** Gives the value to go on with, or throws what is wrong; or a promise. */
export type Validate = (value: unknown) => unknown

export function createValidate (schema: unknown, compile: (schema: unknown) => Validator, find: Find): Validate {
  return compileUnion(schema, find, branch => askValidator(compile(branch)), refuse)
}

function refuse (rule: string): never {
  throw invalid(1008, rule)
}

function askValidator (validator: Validator): Validate {
  return function validate (value) {
    let result: unknown
    try {
      result = validator(value)
    } catch (error) {
      // Such as a stack that is too small for a value that is nested deeply.
      throw againstSchema(error)
    }
    if (result === true) return value
    if (isThenable(result)) return settle(result, value)
    return read(result, value)
  }

  async function settle (result: PromiseLike<unknown>, value: unknown): Promise<unknown> {
    let settled: unknown
    try {
      settled = await result
    } catch (error) {
      throw againstSchema(error)
    }
    return read(settled, value)
  }

  function read (result: unknown, value: unknown): unknown {
    if (result === false) throw againstSchema(validator.errors)
    if (typeof result !== 'object' || result === null) return value
    if ('error' in result && result.error != null) throw againstSchema(result.error)
    return 'value' in result ? result.value : value
  }
}
