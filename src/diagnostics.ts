// What observers of the process are told of by diagnostics_channel: connections and refusals of every application in it.
// Nobody is told and nothing is counted where nobody has subscribed, so a connection is told of at its end only if somebody
// listened for ends when it opened. An observer that throws disturbs nobody: Node sees to that.

import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import type { DiagnosticsClose, DiagnosticsError, DiagnosticsOpen, DiagnosticsRefuse } from '../types'
import type { Connection } from './connection'
import { onEnd } from './summary'

const opens = channel('fastify-wss:open')
const closes = channel('fastify-wss:close')
const refusals = channel('fastify-wss:refuse')
const errors = channel('fastify-wss:error')

export function tellOpen (connection: Connection): void {
  const { socket, request } = connection
  if (closes.hasSubscribers) onEnd(connection, summary => { closes.publish({ socket, ...summary } satisfies DiagnosticsClose) })
  if (opens.hasSubscribers) opens.publish({ socket, request, url: String(request.routeOptions.url) } satisfies DiagnosticsOpen)
}

export function tellError (socket: WebSocket, error: unknown): void {
  errors.publish({ socket, error } satisfies DiagnosticsError)
}

export function tellRefusal (rawRequest: IncomingMessage, statusCode: number | undefined): void {
  refusals.publish({ rawRequest, statusCode } satisfies DiagnosticsRefuse)
}
