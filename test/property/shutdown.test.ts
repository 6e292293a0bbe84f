// Whatever clients are doing, and whether or not they leave: close() ends, and nothing is left.
// To run more of it, or what failed again: see hostile-clients.test.ts.
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { type Running, start, TRANSPORTS } from '../helpers/app'
import { checkLeaksAtEnd, countConnections } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectRaw } from '../helpers/raw-client'
import { declare, failing, options } from './application'
import { anyRequests, websocketUpgradeWithFrames, visit, type Visit } from './arbitraries'
import { parameters, pay, send, watchCrashes } from './attack'

checkLeaksAtEnd(t)

const shutdown = fc.record({
  visits: fc.array(visit(anyRequests), { maxLength: 4 }),
  /**
   * Clients that stay until the server ends the connection, some of them without reading anything. No plain requests:
   * Node waits for the end of one that has begun.
   */
  stayers: fc.array(fc.record({ bytes: websocketUpgradeWithFrames, isDeaf: fc.boolean() }), { maxLength: 4 }),
  /** Milliseconds until close() is called. */
  delay: fc.nat(30),
  isTwice: fc.boolean()
})

for (const over of TRANSPORTS) {
  t.test(`closes at any time, over ${over}`, async t => {
    const crashes = watchCrashes(t)
    await fc.assert(fc.asyncProperty(shutdown, async ({ visits, stayers, delay, isTwice }) => {
      crashes.length = 0
      const running = await start(t, { ...(over === 'tls' ? failing : options), over }, declare)
      const coming = [...visits.map(each => come(running, each)), ...stayers.map(each => stay(running, each.bytes, each.isDeaf))]
      await sleep(delay)
      await Promise.all([running.close(), isTwice ? running.close() : undefined])
      await within(Promise.all(coming), 'the end of every connection')
      await until(async () => await countConnections(running.server) === 0, 'the server holds no socket')
      if (crashes.length > 0) throw new Error('something was thrown that nobody caught', { cause: crashes[0] })
    }), parameters({ tcp: 15, tls: 8, http2: 4 }[over]))
  })
}

// The server may be closed before, or while, a client connects: that is no failure.
async function come (running: Running, visit: Visit): Promise<void> {
  await pay(running, visit).catch(() => {})
}

async function stay (running: Running, bytes: string, isDeaf: boolean): Promise<void> {
  const client = await connectRaw(running).catch(() => undefined)
  if (client === undefined) return
  client.socket.once('end', () => { client.fin() })
  if (isDeaf) client.pause()
  await send(client, bytes, [], 0)
  if (isDeaf) setTimeout(() => { client.resume() }, 400)
  await client.closed
  client.destroy()
}
