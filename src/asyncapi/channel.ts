// A route as a channel: an address, and the messages that go over it. A message that goes both ways is one message.

import { isDeepStrictEqual } from 'node:util'
import type { Address } from './address'
import { Keys, toCamelCase } from './keys'
import { messagesOf } from './messages'
import type { Message } from './messages'
import { parametersOf } from './parameters'
import { correlate } from './replies'
import type { Route } from './route'
import type { Schemas } from './schemas'
import type { JsonSchema } from './subschemas'
import type { SchemaPart } from '../../types/asyncapi'

/** What the application does: in AsyncAPI 3 an operation is told from its side. */
export const ACTIONS = ['receive', 'send'] as const

export type Action = typeof ACTIONS[number]

export class Channel {
  readonly route: Route
  readonly #address: Address
  readonly #schemas: Schemas
  readonly #messages = new Map<string, Message>()
  readonly #keys = new Keys()

  constructor (route: Route, address: Address, schemas: Schemas) {
    this.route = route
    this.#address = address
    this.#schemas = schemas
  }

  get name (): string {
    const { operationId } = this.route.description
    return toCamelCase(typeof operationId === 'string' ? operationId : this.#address.address)
  }

  /** The keys of the messages of an action; undefined where nothing is declared. */
  messagesFor (action: Action): string[] | undefined {
    const placed = this.#place(action)
    if (placed === undefined) return
    const messages = messagesOf(placed, `${action}_${this.name}`, this.#schemas)
    return messages.map(message => this.#add(this.route.hasReply ? correlate(message, this.#schemas) : message))
  }

  /** The channel of the document, with the messages that have been asked for. */
  describe (): object {
    const { summary, description, tags } = this.route.description
    const { address, parameters } = this.#address
    return {
      address,
      summary,
      description,
      tags: tagsOf(tags),
      parameters: parameters.size > 0 ? parametersOf(parameters, this.#place('params'), this.#schemas) : undefined,
      messages: Object.fromEntries(this.#messages),
      bindings: { ws: { method: 'GET', query: this.#place('querystring'), headers: this.#place('headers'), bindingVersion: '0.1.0' } }
    }
  }

  #add (message: Message): string {
    for (const [key, other] of this.#messages) if (isDeepStrictEqual(message, other)) return key
    const key = this.#keys.take(message.name)
    this.#messages.set(key, message)
    return key
  }

  #place (part: SchemaPart): JsonSchema | undefined {
    const schema = this.route.schemaOf(part)
    return schema && this.#schemas.place(schema, `${this.name}_${part}`, this.route)
  }
}

export function tagsOf (tags: unknown): object[] | undefined {
  return Array.isArray(tags) ? tags.map(name => ({ name: String(name) })) : undefined
}
