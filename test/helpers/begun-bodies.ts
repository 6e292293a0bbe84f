// Does on every version what Node does from 26 on: an upgrade is told while the parser still reads its body.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Server as NetServer } from 'node:net'
import type { Test } from 'tap'

/** A server that hands each request to the other as an upgrade, with what its `x-offer` header says for an offer. */
export async function listenWithBodies (t: Test, other: NetServer): Promise<Server> {
  const server = createServer(upgrade)
  server.on('checkContinue', upgrade)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return server

  function upgrade (rawRequest: IncomingMessage, rawResponse: ServerResponse): void {
    const { socket, headers } = rawRequest
    rawResponse.detachSocket(socket)
    headers.upgrade = headers['x-offer'] as string
    other.emit('upgrade', rawRequest, socket, Buffer.alloc(0))
  }
}
