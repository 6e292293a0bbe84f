// What a schema says of messages: one for each branch of a union. A message is called what its schema is, else by the value
// that tells it from the others (`type: 'say'`), else by a number.

import { toKey } from './keys'
import { valuesOf } from './parameters'
import type { Schemas } from './schemas'
import { isSchema } from './subschemas'
import type { JsonSchema } from './subschemas'

export interface Message {
  name: string
  title?: unknown
  description?: unknown
  correlationId?: JsonSchema
  payload: JsonSchema
}

interface Branch {
  schema: JsonSchema
  payload: JsonSchema
}

const ANNOTATIONS = new Set(['title', 'description', '$comment', 'default', 'examples', 'deprecated', 'discriminator', 'definitions', '$defs'])

export function messagesOf (placed: JsonSchema, name: string, schemas: Schemas): Message[] {
  const branches = branchesOf(placed, schemas, new Set())
  const property = distinctiveOf(branches, schemas)
  return branches.map(({ schema, payload }, index) => {
    const { title, description } = schema
    const value = title ?? (property && constantOf(schema, property, schemas)) ?? (branches.length > 1 ? `${name}_${index + 1}` : name)
    return { name: toKey(String(value)), title, description, payload }
  })
}

function branchesOf (payload: JsonSchema, schemas: Schemas, unions: Set<JsonSchema>): Branch[] {
  const { schema, reference } = schemas.follow(payload)
  const { anyOf, oneOf, ...others } = schema
  const branches: unknown = anyOf ?? oneOf
  if (!Array.isArray(branches) || !branches.every(isSchema) || (anyOf !== undefined && oneOf !== undefined)) return [{ schema, payload }]
  // One that contains itself says nothing more.
  if (unions.has(schema)) return []
  const around = Object.fromEntries(Object.entries(others).filter(([keyword]) => !ANNOTATIONS.has(keyword)))
  return branches.flatMap((branch, index) => {
    const inPlace = reference === undefined ? branch : { $ref: `${reference}/${anyOf === undefined ? 'oneOf' : 'anyOf'}/${index}` }
    return branchesOf(inPlace, schemas, new Set([...unions, schema])).map(({ schema, payload }) => ({ schema, payload: both(around, payload) }))
  })
}

// What stands beside a union holds for each of its branches.
function both (around: JsonSchema, payload: JsonSchema): JsonSchema {
  return Object.keys(around).length === 0 ? payload : { allOf: [around, payload] }
}

/** The property that has another value in each branch; `type`, if there is more than one. */
function distinctiveOf (branches: Branch[], schemas: Schemas): string | undefined {
  const names = Object.keys(propertiesOf(branches[0]?.schema ?? {}))
  const distinctive = names.filter(name => {
    const values = branches.map(({ schema }) => constantOf(schema, name, schemas))
    return !values.includes(undefined) && new Set(values).size === branches.length
  })
  return distinctive.includes('type') ? 'type' : distinctive[0]
}

function constantOf (schema: JsonSchema, name: string, schemas: Schemas): unknown {
  const property = propertiesOf(schema)[name]
  const values = isSchema(property) ? valuesOf(schemas.follow(property).schema, schemas) : undefined
  return values?.length === 1 ? values[0] : undefined
}

function propertiesOf ({ properties }: JsonSchema): JsonSchema {
  return isSchema(properties) ? properties : {}
}
