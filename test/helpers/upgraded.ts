import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import { within } from './limit'
import { upgradeHead } from './requests'

/** A real upgrade, as the listeners of a server get it. */
export async function upgraded (t: Test): Promise<{ rawRequest: IncomingMessage, rawSocket: Socket, client: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upgrade = once(server, 'upgrade')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => {})
  client.write(upgradeHead('/'))
  const [rawRequest, rawSocket] = await within(upgrade, 'the upgrade')
  t.teardown(() => {
    client.destroy()
    rawSocket.destroy()
    server.close()
  })
  return { rawRequest, rawSocket, client }
}
