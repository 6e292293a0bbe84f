'use strict'

// One address, two ways in. A plain GET gets the score once, as JSON; a websocket
// gets it too, and then again each time it changes.
//
//   node examples/http-and-websocket.cjs
//   npx wscat --connect ws://localhost:3000/score
//   curl http://localhost:3000/score
//   curl --request POST http://localhost:3000/score/home
const Fastify = require('fastify')
const websocket = require('fastify-wss')

async function build (options) {
  const app = Fastify(options)
  await app.register(websocket)

  const score = { home: 0, guests: 0 }
  const watchers = new Set()

  app.route({
    method: 'GET',
    url: '/score',
    handler: async () => score,
    wsHandler (socket) {
      watchers.add(socket)
      socket.on('close', () => watchers.delete(socket))
      socket.send(JSON.stringify(score))
    }
  })

  app.post('/score/:side(^home|guests$)', async request => {
    score[request.params.side]++
    for (const socket of watchers) socket.send(JSON.stringify(score))
    return score
  })

  return app
}

module.exports = { build }

if (require.main === module) {
  build({ logger: true }).then(app => app.listen({ port: 3000 }))
}
