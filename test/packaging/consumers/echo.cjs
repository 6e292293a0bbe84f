'use strict'

const assert = require('node:assert/strict')
const { once } = require('node:events')
const fastify = require('fastify')
const websocket = require('fastify-wss')
const { WebSocket } = require('ws')

assert.equal(typeof websocket, 'function')
assert.equal(websocket.default, websocket)
assert.equal(websocket.fastifyWebsocket, websocket)

async function main () {
  const app = fastify()
  app.register(websocket)
  app.register(async scope => {
    scope.get('/echo', { websocket: true }, socket => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  assert.ok(app.hasPlugin('@fastify/websocket'))

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
}

main()
