// A public endpoint with all that a careful team sets. Every value has its reason; docs/options.md tells of each option.
//
//   node examples/hardened.mjs
//   npx wscat --connect ws://localhost:3000/room --header 'authorization: Bearer ada-token'
//
// Behind a proxy, name its address: TRUST_PROXY=10.0.0.1 node examples/hardened.mjs
import { once } from 'node:events'
import Fastify from 'fastify'
import websocket from 'fastify-wss'

export async function build (options, limits) {
  const app = Fastify({
    trustProxy: process.env.TRUST_PROXY,        // otherwise every client has the proxy's address
    forceCloseConnections: true,                // a request that is never finished does not hold up a deploy
    ...options
  })

  await app.register(websocket, {
    origin: 'same-origin',                      // no other site's page acts with our users' cookies
    strictRoutes: true,                         // a clear answer to whoever asks for the wrong thing
    handshakeTimeout: 5000,                     // nobody waits for ever to be let in
    maxPending: 500,                            // and not everybody at once, when the database is slow
    maxConnections: {
      total: 10_000,                            // somewhat below what the process can hold
      perIp: 50,                                // generous: an office shares an address
      key: request => request.user.name,        // one user is not everybody
      perKey: 10
    },
    heartbeat: true,                            // a peer that has vanished is found in 40 seconds
    maxLifetime: 24 * 3_600_000,                // nobody stays for ever; a token ends earlier, see below
    slowConsumer: true,                         // who does not read is not remembered for
    messageRate: { max: 50, maxBytes: 256 * 1024, timeWindow: 1000 },
    catchListenerErrors: true,                  // our own mistakes end one connection, not the process
    logClose: true,                             // why and when connections end
    shutdown: { code: 1012, reason: 'restarting', batch: 1000, timeout: 5000 },
    options: {
      maxPayload: 16 * 1024,                    // the largest message that we know of, and not 100 MiB
      perMessageDeflate: false                  // 'safe' where bandwidth is dear
    },
    ...limits
  })

  app.decorateRequest('user', null)

  app.get('/room', { websocket: true, onRequest: authenticate }, (socket, request) => {
    socket.expiresAt(request.user.expiresAt)
    socket.on('message', data => {
      const message = parse(data)
      if (!message) return socket.close(1007, 'no message of ours')
      for (const client of app.websocketServer.clients) client.send(`${request.user.name}: ${message.text}`)
    })
  })

  return app
}

async function authenticate (request, reply) {
  const [scheme, token] = request.headers.authorization?.split(' ') ?? []
  request.user = scheme === 'Bearer' ? await findUser(token) : null
  if (!request.user) return reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'Unauthorized' })
}

/** What a client sends is checked like any input. A library does it for more than this. */
function parse (data) {
  try {
    const { text } = JSON.parse(data)
    return typeof text === 'string' && text.length <= 1000 ? { text } : null
  } catch {
    return null
  }
}

// Stands in for your session store, your database or your JWT library.
const users = new Map([
  ['ada-token', { name: 'Ada', lasts: 900_000 }],
  ['ben-token', { name: 'Ben', lasts: 900_000 }]
])

async function findUser (token) {
  const user = users.get(token)
  return user ? { name: user.name, expiresAt: Date.now() + user.lasts } : null
}

if (process.argv[1] === import.meta.filename) {
  const app = await build({ logger: true })
  await app.listen({ port: Number(process.env.PORT ?? 3000) })
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  await app.close()
}
