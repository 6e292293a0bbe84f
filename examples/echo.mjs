// The smallest program: it says back whatever it hears, text as text and bytes as bytes.
//
//   node examples/echo.mjs
//   npx wscat --connect ws://localhost:3000/echo
import Fastify from 'fastify'
import websocket from 'fastify-wss'

export async function build (options) {
  const app = Fastify(options)
  await app.register(websocket)

  app.get('/echo', { websocket: true }, socket => {
    socket.on('message', (data, isBinary) => {
      socket.send(data, { binary: isBinary })
    })
  })

  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build({ logger: true })
  await app.listen({ port: 3000 })
}
