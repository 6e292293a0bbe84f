// What turns schemas into functions: the application's own compilers, those of the route, or Fastify's, with the options for them
// and the shared schemas that the application has. So whatever holds for the body of a request holds for a message.

import type { FastifyInstance, FastifySchemaCompiler } from 'fastify'
import type { FastifySerializerCompiler } from 'fastify/types/schema'
import { FST_WS_MESSAGES_NO_COMPILER } from '../errors'
import { optionsOf, symbolOf } from '../internals'

export type Validator = ReturnType<FastifySchemaCompiler<unknown>>
export type Serializer = ReturnType<FastifySerializerCompiler<unknown>>

export interface Compilers {
  validator: (schema: unknown) => Validator
  serializer: (schema: unknown) => Serializer
}

interface SchemaController {
  setupValidator: (options: object) => void
  setupSerializer: (options: object) => void
}

/** What compilers are told of a route, and those of its own. */
export interface Place {
  method: string
  url: string
  validatorCompiler?: FastifySchemaCompiler<never> | undefined
  serializerCompiler?: FastifySerializerCompiler<never> | undefined
}

/** To be called when the application starts: then all its schemas are there. */
export function compilersOf (instance: FastifyInstance, { method, url, ...own }: Place): Compilers {
  setUp(instance)
  const validator = (own.validatorCompiler ?? instance.validatorCompiler) as FastifySchemaCompiler<unknown> | null | undefined
  const serializer = (own.serializerCompiler ?? instance.serializerCompiler) as FastifySerializerCompiler<unknown> | null | undefined
  if (validator == null || serializer == null) throw new FST_WS_MESSAGES_NO_COMPILER()
  return {
    validator: schema => validator({ schema, method, url, httpPart: 'body' }),
    serializer: schema => serializer({ schema, method, url, httpStatus: '200' })
  }
}

/**
 * Fastify makes its own compilers when the first route of a scope has use for them, and for messages that may be never. What
 * makes them has no public name.
 */
function setUp (instance: FastifyInstance): void {
  const key = symbolOf(instance, 'fastify.schemaController')
  if (key === undefined) return
  const controller: SchemaController = Reflect.get(instance, key)
  const options = optionsOf(instance)
  controller.setupValidator(options)
  controller.setupSerializer(options)
}
