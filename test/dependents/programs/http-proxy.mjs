// A gateway with websockets of its own and a proxy for those of another application, which is ours, too.

import proxy from '@fastify/http-proxy'
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import { ask, closed, listen, upgrade } from './client.mjs'

const upstream = Fastify()
await upstream.register(websocket)
upstream.get('/', async () => 'plain')
upstream.get('/echo', { websocket: true }, (socket, request) => {
  socket.on('message', data => {
    if (String(data) === 'go') socket.close(4000, 'gone')
    else socket.send(`${data} from ${request.url} (${socket.protocol}, ${request.headers.cookie})`)
  })
})
upstream.get('/members', { websocket: true, preValidation: async (request, reply) => reply.code(401).send('no') }, () => {})
const upstreamHost = await listen(upstream)

const registrations = {
  websocket: app => app.register(websocket),
  proxy: app => app.register(proxy, { upstream: `http://${upstreamHost}`, prefix: '/proxied', websocket: true })
}

for (const order of [['websocket', 'proxy'], ['proxy', 'websocket']]) {
  const app = Fastify()
  for (const name of order) await registrations[name](app)
  app.get('/local', { websocket: true }, socket => {
    socket.on('message', data => socket.send(`${data} here`))
  })
  app.get('/closed', { websocket: true, preValidation: async (request, reply) => reply.code(403).send('closed') }, () => {})
  const host = await listen(app)
  console.log(`${order.join(' before ')}:`)

  const local = await upgrade(`ws://${host}/local`)
  console.log(await ask(local.socket, 'hello'))
  const { status, body } = await upgrade(`ws://${host}/closed`)
  console.log(status, body)

  const remote = await upgrade(`ws://${host}/proxied/echo?a=1`, { protocols: ['chat'], headers: { cookie: 'b=2' } })
  console.log(await ask(remote.socket, 'hello'))
  remote.socket.send('go')
  console.log('closed by upstream:', await closed(remote.socket))

  const refused = await upgrade(`ws://${host}/proxied/members`)
  console.log('refused by upstream:', (await closed(refused.socket)).split(' ')[0])
  console.log(await (await fetch(`http://${host}/proxied/`)).text())

  const open = await upgrade(`ws://${host}/proxied/echo`)
  console.log(await ask(open.socket, 'again'))
  const ends = Promise.all([closed(local.socket), closed(open.socket)])
  await app.close()
  console.log('application closed:', (await ends).join(' and '))
}

await upstream.close()
