// The open connections of a websocketServer, also where the application wants ws to keep no list (clientTracking: false).

import type { WebSocket, WebSocketServer } from 'ws'

const tracked = new WeakMap<WebSocketServer, Set<WebSocket>>()

/** A live set. */
export function connectionsOf (websocketServer: WebSocketServer): Set<WebSocket> {
  return websocketServer.clients ?? tracked.get(websocketServer) ?? trackConnections(websocketServer)
}

/** Takes in a socket that the application opened without the websocketServer. */
export function adopt (websocketServer: WebSocketServer, socket: WebSocket): void {
  const { clients }: { clients?: Set<WebSocket> } = websocketServer
  if (clients === undefined || clients.has(socket)) return
  clients.add(socket)
  socket.once('close', () => {
    clients.delete(socket)
    if (clients.size === 0 && waitsForLast(websocketServer)) websocketServer.emit('close')
  })
}

/** Whether it is closing: then ws tells the end of the last client of its own, and it keeps that behind this property. */
function waitsForLast (websocketServer: WebSocketServer): boolean {
  return Reflect.get(websocketServer, '_shouldEmitClose') === true
}

function trackConnections (websocketServer: WebSocketServer): Set<WebSocket> {
  const connections = new Set<WebSocket>()
  tracked.set(websocketServer, connections)
  websocketServer.on('connection', socket => {
    connections.add(socket)
    socket.on('close', () => { connections.delete(socket) })
  })
  return connections
}
