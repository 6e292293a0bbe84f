// A websocket that is documented: its messages are on a page, and in a document that tools read.
//
//   npm install yaml @asyncapi/web-component
//   node examples/asyncapi.mjs
//   http://localhost:3000/asyncapi
import Fastify from 'fastify'
import websocket from 'fastify-wss'
import asyncapi from 'fastify-wss/asyncapi'

const guess = {
  title: 'Guess',
  type: 'object',
  required: ['number'],
  properties: { number: { type: 'integer', minimum: 1, maximum: 100 } }
}
const hint = {
  title: 'Hint',
  description: 'How the secret number compares to the guess.',
  type: 'object',
  required: ['secretIs'],
  properties: { secretIs: { enum: ['lower', 'higher', 'found'] } }
}

export async function build ({ secret = 1 + Math.floor(Math.random() * 100), ...options } = {}) {
  const app = Fastify(options)
  await app.register(websocket)
  await app.register(asyncapi, {
    info: { title: 'Guess the number', version: '1.0.0' },
    routePrefix: '/asyncapi'
  })

  app.get('/guess', {
    websocket: true,
    schema: { operationId: 'guess', summary: 'A number from 1 to 100', messages: { receive: guess, send: hint } }
  }, socket => {
    socket.on('message', data => {
      const number = parseGuess(String(data))
      if (number === undefined) return socket.close(1008, 'Expected {"number":<1 to 100>}')
      socket.send(JSON.stringify({ secretIs: secret < number ? 'lower' : secret > number ? 'higher' : 'found' }))
    })
  })

  return app
}

function parseGuess (text) {
  try {
    const { number } = JSON.parse(text)
    return Number.isInteger(number) && number >= 1 && number <= 100 ? number : undefined
  } catch {
    return undefined
  }
}

if (process.argv[1] === import.meta.filename) {
  const app = await build({ logger: true })
  await app.listen({ port: 3000 })
}
