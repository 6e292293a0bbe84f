// A socket as a Node stream: it can be piped, and it is read only as fast as it is
// written, so a client that sends a lot and reads slowly costs no memory here.
//
//   node examples/stream.mjs
//   npx wscat --connect ws://localhost:3000/shout
import { pipeline } from 'node:stream/promises'
import Fastify from 'fastify'
import websocket from 'fastify-wss'
import { createWebSocketStream } from 'ws'

export async function build (options) {
  const app = Fastify(options)
  await app.register(websocket)

  app.get('/shout', { websocket: true }, async socket => {
    // In object mode a chunk is a message; without it, neighbours may be joined, as in any byte stream.
    const stream = createWebSocketStream(socket, { readableObjectMode: true, decodeStrings: false })
    await pipeline(stream, shout, stream)
  })

  return app
}

async function * shout (texts) {
  for await (const text of texts) yield `${text.toUpperCase()}!`
}

if (process.argv[1] === import.meta.filename) {
  const app = await build({ logger: true })
  await app.listen({ port: 3000 })
}
