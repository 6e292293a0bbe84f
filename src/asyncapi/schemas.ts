// The schemas of the document. There `#` is the document, so each `$ref` is rewritten: what it leads to, a schema of
// app.addSchema() or the schema that it stands in, moves to components.schemas, once, and everything else stays in place.
// A shared schema that nobody refers to is not in the document.

import { isDeepStrictEqual } from 'node:util'
import { FST_WS_ASYNCAPI_UNKNOWN_REFERENCE } from '../errors'
import { Keys, toKey } from './keys'
import { absolute, baseOf, ROOT, Source } from './source'
import { isSchema, mapSubschemas, valueAt } from './subschemas'
import type { JsonSchema } from './subschemas'

export interface Scope {
  /** The route, for the error. */
  url: string
  /** The schemas of app.addSchema() that it sees. */
  shared: readonly Source[]
}

export interface Followed {
  schema: JsonSchema
  /** Where in the document that is, if it is not where it was asked for. */
  reference: string | undefined
}

const PREFIX = '#/components/schemas/'

export class Schemas {
  readonly components = new Map<string, JsonSchema>()
  readonly #keys = new Keys()
  readonly #homes = new Map<Source, string>()

  /** The schema as the document has it. The name is for one that has none and has to move. */
  place (schema: JsonSchema, name: string, scope: Scope): JsonSchema {
    const source = this.#known(new Source(schema))
    if (this.#homes.has(source)) return { $ref: this.#referenceTo(source, name) }
    const placed = this.#rewrite(schema, ROOT, source, name, scope)
    const key = this.#homes.get(source)
    if (key === undefined) return placed
    this.components.set(key, placed)
    return { $ref: PREFIX + key }
  }

  /** What a schema of the document says, wherever it says it. */
  follow (schema: JsonSchema): Followed {
    const references = new Set<string>()
    let here: unknown = schema
    while (isSchema(here) && typeof here.$ref === 'string' && !references.has(here.$ref)) {
      references.add(here.$ref)
      here = this.#at(here.$ref)
    }
    return { schema: isSchema(here) ? here : {}, reference: [...references].at(-1) }
  }

  #at (reference: string): unknown {
    const [key = '', ...names] = reference.slice(PREFIX.length).split('/')
    return valueAt(this.components.get(key), ['', ...names].join('/'))
  }

  #rewrite (schema: JsonSchema, base: string, source: Source, name: string, scope: Scope): JsonSchema {
    const here = baseOf(schema, base)
    const { $id, $schema, $anchor, $ref, ...rest } = mapSubschemas(schema, each => this.#rewrite(each, here, source, name, scope))
    if (typeof $id === 'string' && !$id.startsWith('#')) rest.title ??= $id
    return typeof $ref === 'string' ? { $ref: this.#resolve($ref, here, source, name, scope), ...rest } : rest
  }

  // fast-json-stringify compares an $id as it is, ajv as a URI.
  #resolve (reference: string, base: string, source: Source, name: string, scope: Scope): string {
    for (const uri of new Set([absolute(reference, base), absolute(reference, ROOT)])) {
      const pointer = source.find(uri)
      if (pointer !== undefined) return this.#referenceTo(source, name) + pointer
      for (const shared of scope.shared) {
        const pointer = shared.find(uri)
        if (pointer !== undefined) return this.#share(shared, scope) + pointer
      }
    }
    throw new FST_WS_ASYNCAPI_UNKNOWN_REFERENCE(scope.url, reference)
  }

  #share (shared: Source, scope: Scope): string {
    const source = this.#known(shared)
    const isNew = !this.#homes.has(source)
    const reference = this.#referenceTo(source, String(source.root.$id))
    if (isNew) this.components.set(reference.slice(PREFIX.length), this.#rewrite(source.root, ROOT, source, '', scope))
    return reference
  }

  // Each instance of Fastify has a copy of the shared schemas.
  #known (source: Source): Source {
    return [...this.#homes.keys()].find(({ root }) => isDeepStrictEqual(root, source.root)) ?? source
  }

  #referenceTo (source: Source, name: string): string {
    const { $id, title } = source.root
    const key = this.#homes.get(source) ?? this.#keys.take(toKey(String($id ?? title ?? name)))
    this.#homes.set(source, key)
    return PREFIX + key
  }
}
