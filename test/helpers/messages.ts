// An application with messages, and schemas that tests share.
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import websocket from '../../src'
import messages from '../../src/messages'
import type { MessagesOptions } from '../../types/messages'
import { type Client, type Running, start, type StartOptions } from './app'

export async function startMessages (t: Test, options: StartOptions & { messages?: MessagesOptions }, declare: (app: FastifyInstance) => unknown): Promise<Running> {
  return await start(t, { ...options, websocket: false }, async app => {
    await app.register(websocket, options.websocket || {})
    await app.register(messages, options.messages ?? {})
    await declare(app)
  })
}

/** An object with this type, and these properties, all of which it has to have. */
export function typed (type: string, properties: Record<string, object> = {}): object {
  return { type: 'object', properties: { type: { const: type }, ...properties }, required: ['type', ...Object.keys(properties)], additionalProperties: false }
}

export const Say = typed('say', { text: { type: 'string', maxLength: 20 } })
export const Leave = typed('leave')
export const Said = typed('said', { text: { type: 'string' } })

export const schema = { messages: { receive: { anyOf: [Say, Leave] }, send: Said } }

export function say ({ socket }: Client, text: unknown, rest: object = {}): void {
  socket.send(JSON.stringify({ type: 'say', text, ...rest }))
}

export async function nextJson ({ inbox }: Client): Promise<unknown> {
  return JSON.parse(String(await inbox.next()))
}
