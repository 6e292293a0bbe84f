// The open connections of a websocketServer, also where the application wants ws to keep no list (clientTracking: false).

import type { WebSocket, WebSocketServer } from 'ws'

/** A live set. */
export function connectionsOf (websocketServer: WebSocketServer): Set<WebSocket> {
  return websocketServer.clients ?? trackConnections(websocketServer)
}

function trackConnections (websocketServer: WebSocketServer): Set<WebSocket> {
  const connections = new Set<WebSocket>()
  websocketServer.on('connection', socket => {
    connections.add(socket)
    socket.on('close', () => { connections.delete(socket) })
  })
  return connections
}
