// A union of which every branch has a string of its own in one and the same property, such as type: so it is known which branch is
// meant, without a try of each. Then that branch alone is asked: its errors are about what was meant, and no other branch
// coerces, completes or strips the message first.

export interface Union {
  property: string
  /** By the value of the property. */
  branches: Map<unknown, unknown>
}

/** Gives a shared schema. */
export type Find = (id: string) => unknown

type Compile<Result> = (schema: unknown) => (value: unknown) => Result

// What says nothing of which values are valid, or nothing beyond what each such branch says.
const ANNOTATIONS = ['$id', '$schema', '$comment', 'title', 'description', 'examples', 'default', 'deprecated', 'discriminator', 'type', 'anyOf', 'oneOf']

/** Undefined where it is none. */
export function readUnion (schema: unknown, find: Find): Union | undefined {
  if (!isObject(schema) || Object.keys(schema).some(key => !ANNOTATIONS.includes(key))) return
  if (schema.type !== undefined && schema.type !== 'object') return
  const branches = schema.anyOf ?? schema.oneOf
  if (!Array.isArray(branches) || branches.length === 0 || (schema.anyOf !== undefined && schema.oneOf !== undefined)) return
  const constants = branches.map(branch => constantsOf(resolve(branch, find)))
  for (const property of Object.keys(Object.assign({}, ...constants))) {
    const values = new Set(constants.map(each => each[property]))
    if (!values.has(undefined) && values.size === branches.length) {
      return { property, branches: new Map([...values].map((value, index) => [value, branches[index]])) }
    }
  }
}

/** A function of a schema; of a union, one that asks the branch that is meant, or `otherwise` where it is none of them. */
export function compileUnion<Result> (schema: unknown, find: Find, compile: Compile<Result>, otherwise: (rule: string) => Result): (value: unknown) => Result {
  const union = readUnion(schema, find)
  return (union && byBranch(union, compile, otherwise)) ?? compile(schema)
}

/** Undefined where a branch is none without what is around it. */
function byBranch<Result> ({ property, branches }: Union, compile: Compile<Result>, otherwise: (rule: string) => Result): ((value: unknown) => Result) | undefined {
  const compiled = new Map<unknown, (value: unknown) => Result>()
  try {
    for (const [value, schema] of branches) compiled.set(value, compile(schema))
  } catch {
    return
  }
  const rule = `/${property} must be one of ${[...branches.keys()].map(value => JSON.stringify(value)).join(', ')}`
  return function askBranch (value) {
    if (!isObject(value)) return otherwise(' must be object')
    const branch = compiled.get(value[property])
    return branch === undefined ? otherwise(rule) : branch(value)
  }
}

function resolve (branch: unknown, find: Find): unknown {
  if (!isObject(branch) || typeof branch.$ref !== 'string') return branch
  const [, id] = /^([^#]+)#?$/.exec(branch.$ref) ?? []
  return id === undefined ? branch : find(id)
}

/** The properties that have to be there, with the one value that each may have. */
function constantsOf (branch: unknown): Record<string, unknown> {
  if (!isObject(branch) || branch.type !== 'object' || !isObject(branch.properties) || !Array.isArray(branch.required)) return {}
  const { required, properties } = branch
  return Object.fromEntries(Object.entries(properties).flatMap(([name, property]) => {
    const value = required.includes(name) ? constantOf(property) : undefined
    return value === undefined ? [] : [[name, value]]
  }))
}

function constantOf (property: unknown): unknown {
  if (!isObject(property)) return
  const value: unknown = Array.isArray(property.enum) && property.enum.length === 1 ? property.enum[0] : property.const
  return typeof value === 'string' ? value : undefined
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
