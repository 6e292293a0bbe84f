// A schema as the application declared it, and what in it can be referred to by a URI: by an `$id` of its own or of a schema
// within, an anchor, or a pointer. Section 8 of JSON Schema 2020-12, and section 8 of draft 7, where an `$id` may be an anchor.

import { isSchema, mapSubschemas, valueAt } from './subschemas'
import type { JsonSchema } from './subschemas'

/** What an `$id` and a `$ref` are relative to where nothing else is known. */
export const ROOT = 'schema:/'

export class Source {
  readonly root: JsonSchema
  /** What can be referred to, and where in the root it is. */
  readonly #pointers = new Map<string, string>()

  constructor (root: JsonSchema) {
    this.root = root
    this.#pointers.set(baseOf(root, ROOT), '')
    this.#index(root, '', ROOT)
  }

  /** The pointer from the root; undefined where that is not in here. */
  find (uri: string): string | undefined {
    const [resource = '', fragment = ''] = uri.split('#')
    if (fragment !== '' && !fragment.startsWith('/')) return this.#pointers.get(uri)
    const pointer = this.#pointers.get(resource)
    return pointer !== undefined && isSchema(valueAt(this.root, pointer + fragment)) ? pointer + fragment : undefined
  }

  #index (schema: JsonSchema, pointer: string, base: string): void {
    const here = baseOf(schema, base)
    if (here !== base) this.#pointers.set(here, pointer)
    for (const anchor of anchorsOf(schema)) this.#pointers.set(`${here}#${anchor}`, pointer)
    mapSubschemas(schema, (each, beneath) => { this.#index(each, pointer + beneath, here) })
  }
}

/** What the references in a schema are relative to. */
export function baseOf ({ $id }: JsonSchema, base: string): string {
  return typeof $id === 'string' && !$id.startsWith('#') ? absolute($id.replace(/#$/, ''), base) : base
}

export function absolute (reference: string, base: string): string {
  return URL.canParse(reference, base) ? new URL(reference, base).href : reference
}

function anchorsOf ({ $id, $anchor }: JsonSchema): string[] {
  const names = [$anchor, typeof $id === 'string' && $id.startsWith('#') ? $id.slice(1) : undefined]
  return names.filter(name => typeof name === 'string')
}
