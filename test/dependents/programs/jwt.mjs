// Upgrades for those who bring a token, in a header or, as browsers have to, in a cookie: @fastify/jwt.

import cookie from '@fastify/cookie'
import jwt from '@fastify/jwt'
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import { ask, inject, listen, upgrade } from './client.mjs'

const app = Fastify()
await app.register(cookie)
await app.register(jwt, { secret: 'a secret for tests', cookie: { cookieName: 'token', signed: false } })
await app.register(websocket)
app.get('/whoami', { websocket: true, onRequest: request => request.jwtVerify() }, (socket, request) => {
  socket.on('message', data => socket.send(`${data} ${request.user.name}`))
})

const host = await listen(app)
const token = app.jwt.sign({ name: 'ada' })
const visitors = {
  nobody: {},
  forger: { authorization: `Bearer ${token.slice(0, -6)}forged` },
  latecomer: { authorization: `Bearer ${app.jwt.sign({ name: 'ada', exp: 1 })}` },
  'by header': { authorization: `Bearer ${token}` },
  'by cookie': { cookie: `token=${token}` }
}
const ways = {
  TCP: headers => upgrade(`ws://${host}/whoami`, { headers }),
  memory: headers => inject(app, '/whoami', { headers })
}

for (const [way, open] of Object.entries(ways)) {
  console.log(`over ${way}:`)
  for (const [name, headers] of Object.entries(visitors)) {
    const { status, body, socket } = await open(headers)
    console.log(`${name}:`, status, status === 101 ? await ask(socket, 'hello') : JSON.parse(body).code)
  }
}
await app.close()
