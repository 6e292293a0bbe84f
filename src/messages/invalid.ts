// A message that is not delivered, and why: with the close code for it (RFC 6455 section 7.4.1), and in words that fit a close
// frame. Whoever reads them is a developer of a client, so they name the place in the message and the rule, and no value.

import type { FastifySchemaValidationError } from 'fastify'
import type { InvalidMessageError } from '../../types/messages'
import { FST_WS_MESSAGES_INVALID } from '../errors'

// RFC 6455 section 5.5: a control frame carries 125 bytes, two of them the code.
const LONGEST_REASON = 123

export function invalid (closeCode: InvalidMessageError['closeCode'], rule: string, details?: Pick<InvalidMessageError, 'validation'> & ErrorOptions): InvalidMessageError {
  const { cause, validation } = details ?? {}
  return Object.assign(new FST_WS_MESSAGES_INVALID(rule, { cause }), { closeCode, ...(validation && { validation }) }) as InvalidMessageError
}

export function isInvalid (error: unknown): error is InvalidMessageError {
  return error instanceof FST_WS_MESSAGES_INVALID
}

/** Of what a validator found, in the form of Fastify's own errors. */
export function againstSchema (found: unknown): InvalidMessageError {
  const errors: unknown = isErrors(found) ? found : found instanceof Error && 'errors' in found ? found.errors : undefined
  if (isErrors(errors)) {
    const [{ instancePath = '', message = 'is invalid' }] = errors
    return invalid(1008, `${instancePath} ${message}`, { validation: errors })
  }
  return invalid(1008, ` ${found instanceof Error ? found.message : 'is invalid'}`, { cause: found })
}

function isErrors (found: unknown): found is [FastifySchemaValidationError, ...FastifySchemaValidationError[]] {
  return Array.isArray(found) && typeof found[0] === 'object' && found[0] !== null
}

/** As much of it as a close frame carries. */
export function reasonOf ({ message }: Error): string {
  const bytes = Buffer.from(message)
  if (bytes.length <= LONGEST_REASON) return message
  // In streaming mode the rest of a character that is cut apart waits for more.
  return new TextDecoder().decode(bytes.subarray(0, LONGEST_REASON), { stream: true })
}
