// The parameters of an address. In AsyncAPI they are strings, so only what can be said of a string is told of them.

import type { Schemas } from './schemas'
import { isSchema } from './subschemas'
import type { JsonSchema } from './subschemas'

export function parametersOf (names: Map<string, string>, params: JsonSchema | undefined, schemas: Schemas): Record<string, JsonSchema> {
  const { properties } = schemas.follow(params ?? {}).schema
  const given: JsonSchema = isSchema(properties) ? properties : {}
  return Object.fromEntries([...names].map(([name, parameter]) => [name, describe(given[parameter], schemas)]))
}

function describe (property: unknown, schemas: Schemas): JsonSchema {
  if (!isSchema(property)) return {}
  const { schema } = schemas.follow(property)
  return {
    description: property.description ?? schema.description,
    default: schema.default === undefined ? undefined : String(schema.default),
    enum: valuesOf(schema, schemas)?.map(String),
    examples: Array.isArray(schema.examples) ? schema.examples.map(String) : undefined
  }
}

/** What a schema allows for, where that is a list. */
export function valuesOf (schema: JsonSchema, schemas: Schemas): unknown[] | undefined {
  if ('const' in schema) return [schema.const]
  if (Array.isArray(schema.enum)) return schema.enum
  const branches: unknown = schema.anyOf ?? schema.oneOf
  if (!Array.isArray(branches)) return
  const values = branches.map(branch => isSchema(branch) ? valuesOf(schemas.follow(branch).schema, schemas) : undefined)
  return values.every(each => each !== undefined) ? values.flat() : undefined
}
