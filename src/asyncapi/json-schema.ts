// A schema of a route as JSON Schema: by the application's `transform`; by itself, if it is one of those of Zod and others that
// can tell (standardschema.dev); or it is one already, as those of TypeBox are.

import { FST_WS_ASYNCAPI_NO_JSON_SCHEMA } from '../errors'
import type { AsyncAPIOptions, SchemaPart } from '../../types/asyncapi'
import { isSchema } from './subschemas'
import type { JsonSchema } from './subschemas'

interface StandardSchema {
  '~standard': {
    vendor: string
    jsonSchema?: Record<'input' | 'output', (options: { target: string }) => unknown>
  }
}

export function toJsonSchema (given: unknown, part: SchemaPart, url: string, transform: AsyncAPIOptions['transform']): JsonSchema {
  const schema = transform === undefined ? given : transform(given, { part, url })
  const jsonSchema = isStandard(schema) ? convert(schema, part) : plain(schema)
  if (!isSchema(jsonSchema)) throw new FST_WS_ASYNCAPI_NO_JSON_SCHEMA(part, url)
  return jsonSchema
}

// What is validated is the input, and what the application sends has been through it.
function convert ({ '~standard': { jsonSchema } }: StandardSchema, part: SchemaPart): unknown {
  return jsonSchema?.[part === 'send' ? 'output' : 'input']({ target: 'draft-07' })
}

// As Fastify does with those of fluent-json-schema.
function plain (schema: unknown): unknown {
  return isSchema(schema) ? schema.valueOf() : schema
}

// Some are functions. What z.toJSONSchema() gives has the property too, out of sight, and is JSON Schema.
function isStandard (schema: unknown): schema is StandardSchema {
  if (!(schema instanceof Object) || !('~standard' in schema)) return false
  return Object.getPrototypeOf(schema) !== Object.prototype || Object.keys(schema).includes('~standard')
}
