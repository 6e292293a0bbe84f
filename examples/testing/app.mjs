// Guess the number from 1 to 100. The test beside it plays the game without a port.
import Fastify from 'fastify'
import websocket from 'fastify-wss'

export async function build ({ secret = 1 + Math.floor(Math.random() * 100), ...options } = {}) {
  const app = Fastify(options)
  await app.register(websocket)

  app.get('/guess', { websocket: true, onRequest: requirePlayer }, (socket, request) => {
    socket.send(`Good luck, ${request.query.player}.`)

    socket.on('message', data => {
      const guess = Number(data)
      if (guess < secret) socket.send('higher')
      else if (guess > secret) socket.send('lower')
      else if (guess === secret) socket.close(1000, 'found')
      else socket.send('That is not a number.')
    })
  })

  return app
}

async function requirePlayer (request, reply) {
  if (!request.query.player) return reply.code(400).send({ message: 'Who plays? Add ?player=<name>' })
}

if (process.argv[1] === import.meta.filename) {
  const app = await build({ logger: true })
  await app.listen({ port: 3000 })
}
