// So many upgrades a minute, and no more: @fastify/rate-limit.

import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import rateLimit from '@fastify/rate-limit'
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import { ask, listen, upgrade } from './client.mjs'

const app = Fastify()
await app.register(rateLimit, { max: 2, timeWindow: 60_000 })
await app.register(websocket)
app.get('/', { websocket: true }, echo)
app.get('/free', { websocket: true, config: { rateLimit: false } }, echo)
const host = await listen(app)

for (let attempt = 1; attempt <= 3; attempt++) {
  const { status, headers, socket, body } = await upgrade(`ws://${host}/`)
  console.log(`${attempt}: ${status}, limit ${headers['x-ratelimit-limit']}, remaining ${headers['x-ratelimit-remaining']}`)
  if (status === 101) console.log(await ask(socket, 'hello'))
  else console.log(`${JSON.parse(body).error}, retry-after: ${Number(headers['retry-after']) > 0}`)
}
const { socket } = await upgrade(`ws://${host}/free`)
console.log('not limited:', await ask(socket, 'hello'))

// A client that never ends its side: the server has to.
const patient = connect({ host: '127.0.0.1', port: app.server.address().port, allowHalfOpen: true })
patient.write([
  'GET / HTTP/1.1', `Host: ${host}`, 'Connection: Upgrade', 'Upgrade: websocket',
  'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', ''
].join('\r\n'))
const refusal = await text(patient)
console.log(refusal.split('\r\n')[0], /^retry-after: \d+\r$/m.test(refusal), JSON.parse(refusal.split('\r\n\r\n')[1]).error)

await app.close()
console.log('application closed')
if (!patient.destroyed) {
  patient.end()
  await once(patient, 'close')
}

function echo (socket) {
  socket.on('message', data => socket.send(String(data)))
}
