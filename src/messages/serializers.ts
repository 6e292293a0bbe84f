// app.messages.serializer(): what a schema makes of a value, for whoever sends to many sockets at once. It is compiled when the
// application starts, with all its shared schemas, or when it is first called.

import type { FastifyInstance } from 'fastify'
import { compilersOf } from './compilers'
import { createSerialize } from './format'

type Serialize = (message: unknown) => string

export class Serializers {
  readonly #instance: FastifyInstance
  readonly #compile: Array<() => Serialize> = []

  constructor (instance: FastifyInstance) {
    this.#instance = instance
  }

  serializer (schema: unknown): Serialize {
    let serialize: Serialize | undefined
    const compile = (): Serialize => {
      serialize ??= createSerialize(this.#instance, schema, compilersOf(this.#instance, { method: 'GET', url: '' }), 'app.messages.serializer()')
      return serialize
    }
    this.#compile.push(compile)
    return message => compile()(message)
  }

  compile (): void {
    for (const compile of this.#compile) compile()
  }
}
