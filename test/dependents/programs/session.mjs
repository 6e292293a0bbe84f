// A login over HTTP, and upgrades for those who have logged in: @fastify/session with @fastify/cookie.

import cookie from '@fastify/cookie'
import session from '@fastify/session'
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import { ask, inject, listen, upgrade } from './client.mjs'

const app = Fastify()
await app.register(cookie)
await app.register(session, { secret: 'a secret of at least 32 characters', cookie: { secure: false } })
await app.register(websocket)

app.post('/login', async request => {
  request.session.user = 'ada'
  return 'welcome'
})

app.get('/members', {
  websocket: true,
  preValidation: async ({ session }, reply) => {
    if (session.user === undefined) await reply.code(401).send('log in first')
  }
}, async (socket, { session }) => {
  session.visits = (session.visits ?? 0) + 1
  await session.save()
  socket.on('message', data => socket.send(`${data} ${session.user}, visit ${session.visits}`))
})

// A session of its own writes its cookie in onSend, which a handshake does not have.
app.get('/guests', {
  websocket: true,
  preValidation: async ({ session }, reply) => {
    session.user = 'guest'
    await session.save()
    reply.header('set-cookie', app.serializeCookie('sessionId', session.encryptedSessionId, session.cookie.toJSON()))
    reply.header('set-cookie', app.serializeCookie('theme', 'dark'))
  }
}, (socket, { session }) => {
  socket.on('message', data => socket.send(`${data} ${session.user}`))
})

const host = await listen(app)
const ways = {
  TCP: (path, cookie) => upgrade(`ws://${host}${path}`, { headers: { cookie } }),
  memory: (path, cookie) => inject(app, path, { headers: { cookie } })
}

for (const [way, open] of Object.entries(ways)) {
  console.log(`over ${way}:`)
  const nobody = await open('/members', 'a=1')
  console.log(nobody.status, nobody.body, nameOf(nobody.headers['set-cookie'][0]))

  const login = await fetch(`http://${host}/login`, { method: 'POST' })
  const [ada] = login.headers.getSetCookie()
  console.log('forged:', (await open('/members', `${ada.split(';')[0]}x`)).status)
  await greet(open, '/members', ada)
  await greet(open, '/members', ada)

  const { headers } = await greet(open, '/guests', 'a=1')
  console.log(headers['set-cookie'].map(nameOf).join())
  await greet(open, '/members', headers['set-cookie'][0])
}
await app.close()

async function greet (open, path, cookie) {
  const { status, headers, socket } = await open(path, cookie.split(';')[0])
  console.log(status, await ask(socket, 'hello'))
  return { headers }
}

function nameOf (cookie) {
  return cookie.split('=')[0]
}
