// Packages that only some applications need: peers that are optional, looked for when they are asked for.

import { createRequire } from 'node:module'
import { FST_WS_ASYNCAPI_NO_PACKAGE } from '../errors'

/** The path of a module of a package; of one that another package depends on, seen from the module `from`. */
export function find (name: string, module = name, from = __filename): string {
  try {
    return createRequire(from).resolve(module)
  } catch (error) {
    throw new FST_WS_ASYNCAPI_NO_PACKAGE(name, { cause: error })
  }
}
