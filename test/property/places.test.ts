// Whatever clients and the application do with their upgrades, every place is free again in the end.
import t from 'tap'
import fc from 'fast-check'
import { setTimeout as sleep } from 'node:timers/promises'
import { start, TRANSPORTS, type Running } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { frame, type RawClient } from '../helpers/raw-client'
import { parameters } from './attack'

checkLeaksAtEnd(t)

const LIMIT = 4
const PATHS = ['/', '/slow', '/hook-throws', '/hook-replies', '/hook-fails-late', '/key-slow', '/key-rejects', '/verify-no', '/verify-never', '/handler-throws', '/handler-rejects', '/taken', '/nowhere', '/%ff']
const LEAVES = ['fin', 'reset', 'destroy'] as const

const visit = fc.record({ path: fc.constantFrom(...PATHS), leave: fc.constantFrom(...LEAVES), isPatient: fc.boolean(), delay: fc.integer({ min: 0, max: 6 }), hasBadKey: fc.boolean() })
type Visit = typeof visit extends fc.Arbitrary<infer T> ? T : never

async function pay (running: Running, { path, leave, isPatient, delay, hasBadKey }: Visit): Promise<void> {
  const client = await running.raw()
  client.upgrade(path, hasBadKey ? { 'Sec-WebSocket-Key': 'short' } : {}).write(frame('text', 'early'))
  if (isPatient && path !== '/verify-never') await client.readResponse()
  else await sleep(delay)
  client[leave]()
}

async function connectAll (running: Running): Promise<RawClient[]> {
  const clients: RawClient[] = []
  try {
    for (let i = 0; i < LIMIT; i++) {
      const client = await running.raw()
      clients.push(client)
      if ((await client.upgrade('/').readResponse()).status !== 101) return []
    }
    return clients.splice(0)
  } finally {
    for (const client of clients) client.destroy()
  }
}

for (const over of TRANSPORTS) {
  t.test(`has every place free again when all have left, over ${over}`, async t => {
    const running = await start(t, {
      over,
      logLevel: 'silent',
      websocket: {
        handshakeTimeout: 100,
        maxConnections: {
          total: LIMIT,
          perIp: LIMIT,
          perRoute: LIMIT,
          key: async ({ url }) => {
            if (url === '/key-slow') await sleep(4)
            if (url === '/key-rejects') throw new Error('rejected')
            return 'same'
          },
          perKey: LIMIT
        },
        maxPending: LIMIT
      }
    }, app => {
      for (const path of ['/', '/key-slow', '/key-rejects']) app.get(path, { websocket: true }, () => {})
      app.get('/slow', { websocket: true, preHandler: async () => { await sleep(4) } }, () => {})
      app.get('/hook-throws', { websocket: true, onRequest: async () => { throw new Error('thrown') } }, () => {})
      app.get('/hook-replies', { websocket: true, onRequest: async (_request, reply) => { await reply.code(403).send('x'.repeat(100_000)) } }, () => {})
      app.get('/hook-fails-late', { websocket: true, preHandler: async () => { await sleep(4); throw new Error('thrown late') } }, () => {})
      app.get('/verify-no', { websocket: { verifyClient: async () => false } }, () => {})
      app.get('/verify-never', { websocket: { verifyClient: () => new Promise<boolean>(() => {}) } }, () => {})
      app.get('/handler-throws', { websocket: true }, () => { throw new Error('thrown') })
      app.get('/handler-rejects', { websocket: true }, async () => { await sleep(2); throw new Error('rejected') })
      app.get('/taken', {
        websocket: true,
        preHandler: async (request, reply) => {
          reply.hijack()
          request.raw.socket.on('end', () => { request.raw.socket.end() }).resume().write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
        }
      }, () => {})
    })
    await fc.assert(fc.asyncProperty(fc.array(visit, { minLength: 1, maxLength: 10 }), async visits => {
      await Promise.all(visits.map(async each => { await pay(running, each) }))
      // A refused client that stays is let go after a second.
      const clients = await until(async () => {
        const opened = await connectAll(running)
        return opened.length > 0 && opened
      }, 'every place') as RawClient[]
      const next = await running.raw()
      const { status } = await next.upgrade('/').readResponse()
      for (const client of [...clients, next]) client.destroy()
      return status === 503
    }), parameters({ tcp: 40, tls: 15, http2: 8 }[over]))
  })
}
