// The class of the sockets that a registration opens: the application's (options.WebSocket) or that of ws, and on top of it
// what options and entry points add. A method of the class costs a socket nothing, and ws reads its options anew for each
// handshake, so a class may still be extended once the plugin is registered.

import { WebSocket } from 'ws'
import type { WebSocketServer } from 'ws'

export type SocketClass = typeof WebSocket

export function extendSockets (websocketServer: WebSocketServer, extend: (Base: SocketClass) => SocketClass): void {
  const { options } = websocketServer
  options.WebSocket = extend(options.WebSocket ?? WebSocket)
}
