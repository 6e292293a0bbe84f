// Who may connect? A hook decides, as on any other route: it runs before the
// connection is opened, and when it replies, that reply is what the client gets.
//
//   node examples/authentication.mjs
//   npx wscat --connect ws://localhost:3000/account                                             refused: 401
//   npx wscat --connect ws://localhost:3000/account --header 'authorization: Bearer ada-token'  Hello, Ada.
import Fastify from 'fastify'
import websocket from 'fastify-wss'

export async function build (options) {
  const app = Fastify(options)
  await app.register(websocket)
  app.decorateRequest('user', null)

  app.get('/account', { websocket: true, onRequest: authenticate }, (socket, request) => {
    socket.send(`Hello, ${request.user.name}.`)
  })

  return app
}

async function authenticate (request, reply) {
  const [scheme, token] = request.headers.authorization?.split(' ') ?? []
  request.user = scheme === 'Bearer' ? await findUser(token) : null
  if (request.user) return

  return reply
    .code(401)
    .header('www-authenticate', 'Bearer')
    .send({ error: 'Unauthorized', message: 'Send "Authorization: Bearer <token>" with a token we know' })
}

// Stands in for your session store, your database or your JWT library.
const users = new Map([['ada-token', { name: 'Ada' }]])

async function findUser (token) {
  return users.get(token) ?? null
}

if (process.argv[1] === import.meta.filename) {
  const app = await build({ logger: true })
  await app.listen({ port: 3000 })
}
