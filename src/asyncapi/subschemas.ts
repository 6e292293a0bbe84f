// What a JSON schema consists of. Only where a keyword says so is there another schema: what stands under `const`, `enum`,
// `default` or `examples` is a value, and what stands under `properties` are names.

export type JsonSchema = Record<string, unknown>

const SCHEMAS = new Set([
  'items', 'prefixItems', 'additionalItems', 'unevaluatedItems', 'contains',
  'additionalProperties', 'unevaluatedProperties', 'propertyNames',
  'allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else', 'contentSchema'
])
const SCHEMAS_BY_NAME = new Set(['properties', 'patternProperties', 'dependencies', 'dependentSchemas', 'definitions', '$defs'])

/** A copy of a schema, with these in the place of those right beneath it. A pointer is that from the schema. */
export function mapSubschemas (schema: JsonSchema, map: (subschema: JsonSchema, pointer: string) => unknown): JsonSchema {
  return mapObject(schema, (value, keyword) => {
    const pointer = `/${keyword}`
    if (SCHEMAS_BY_NAME.has(keyword) && isSchema(value)) return mapObject(value, (each, name) => mapOne(each, `${pointer}/${escape(name)}`))
    if (!SCHEMAS.has(keyword)) return value
    return Array.isArray(value) ? value.map((each, index) => mapOne(each, `${pointer}/${index}`)) : mapOne(value, pointer)
  })

  // true and false are schemas too, and a dependency may be a list of names: there is nothing in them.
  function mapOne (value: unknown, pointer: string): unknown {
    return isSchema(value) ? map(value, pointer) : value
  }
}

export function isSchema (value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a JSON pointer leads to, which is that of a URI: RFC 6901, section 6. */
export function valueAt (value: unknown, pointer: string): unknown {
  const names = decodeURIComponent(pointer).split('/').slice(1).map(name => name.replaceAll('~1', '/').replaceAll('~0', '~'))
  return names.reduce((each, name) => typeof each === 'object' && each !== null && Object.hasOwn(each, name) ? Reflect.get(each, name) : undefined, value)
}

function escape (name: string): string {
  return encodeURI(name.replaceAll('~', '~0').replaceAll('/', '~1'))
}

function mapObject (object: JsonSchema, map: (value: unknown, key: string) => unknown): JsonSchema {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value, key)]))
}
