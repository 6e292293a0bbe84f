import assert from 'node:assert/strict'
import { once } from 'node:events'
import fastify from 'fastify'
import websocket, { fastifyWebsocket } from 'fastify-wss'
import { WebSocket } from 'ws'

assert.equal(typeof websocket, 'function')
assert.equal(fastifyWebsocket, websocket)

const app = fastify()
await app.register(fastifyWebsocket)
app.get('/echo', { websocket: true }, socket => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})
await app.listen({ port: 0, host: '127.0.0.1' })

const remote = new WebSocket(`ws://127.0.0.1:${app.server.address().port}/echo`)
await once(remote, 'open')
const injected = await app.injectWS('/echo')
for (const [client, text] of [[remote, 'over TCP'], [injected, 'over memory']]) {
  client.send(text)
  const [data] = await once(client, 'message')
  console.log(`echo ${data}`)
  client.close()
}
await app.close()
