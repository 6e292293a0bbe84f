// What there is to tell of a connection when it ends. Only where somebody asked for it when the connection opened, because
// counting costs something for each message. What messages carry is counted, not what is on the wire.

import { performance } from 'node:perf_hooks'
import type { WebSocket } from 'ws'
import type { ConnectionSummary } from '../types'
import type { Connection } from './connection'
import { emitOf, replaceEmit } from './emit'
import { countSent } from './sent'
import { sizeOf } from './size'

const kTraffic = Symbol('fastify-wss.traffic')

type Counted = WebSocket & { [kTraffic]?: Traffic }
type Traffic = Pick<ConnectionSummary, 'messagesReceived' | 'messagesSent' | 'bytesReceived' | 'bytesSent'>

/** Counts from now on, and tells when the connection has closed. */
export function onEnd ({ socket, request }: Pick<Connection, 'socket' | 'request'>, tell: (summary: ConnectionSummary) => void): void {
  const traffic = countTraffic(socket)
  const url = String(request.routeOptions.url)
  const begin = performance.now()
  socket.on('close', (code, reason) => {
    tell({ url, code, reason: String(reason), duration: performance.now() - begin, ...traffic })
  })
}

function countTraffic (socket: WebSocket): Traffic {
  const counted: Counted = socket
  counted[kTraffic] ??= startCounting(socket)
  return counted[kTraffic]
}

function startCounting (socket: WebSocket): Traffic {
  const traffic: Traffic = { messagesReceived: 0, messagesSent: 0, bytesReceived: 0, bytesSent: 0 }
  const emit = emitOf(socket)
  replaceEmit(socket, emitCounted)
  countSent(socket, (_socket, data, options) => {
    if (isWhole(options)) traffic.messagesSent++
    traffic.bytesSent += sizeOf(data)
  })
  return traffic

  function emitCounted (this: WebSocket, event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'message') {
      traffic.messagesReceived++
      traffic.bytesReceived += sizeOf(args[0])
    }
    return emit.call(this, event, ...args)
  }
}

// Or the last of the fragments that the application sends.
function isWhole (options: unknown): boolean {
  return typeof options !== 'object' || options === null || !('fin' in options) || options.fin !== false
}
