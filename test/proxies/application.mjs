// An instance behind a proxy, as docs/deployment.md has it. Prints its address; SIGTERM ends it.
import Fastify from 'fastify'
import websocket from 'fastify-wss'

const [name] = process.argv.slice(2)
const app = Fastify({ trustProxy: '127.0.0.1' })
let connections = 0 // that the proxy has opened
let waiting = 0 // upgrades that a hook has not let in yet
app.server.on('connection', () => { connections++ })

await app.register(websocket, { shutdown: { code: 1012, reason: 'restarting', timeout: 2000 } })

app.get('/health', async () => 'up')

app.route({
  method: 'GET',
  url: '/',
  handler: async request => describe(request),
  wsHandler (socket, request) {
    socket.send(JSON.stringify(describe(request)))
    socket.on('message', (data, isBinary) => {
      if (String(data).startsWith('close')) socket.close(Number(String(data).slice(6)), 'as you wish')
      else socket.send(data, { binary: isBinary })
    })
  }
})

app.get('/only', { websocket: true }, socket => { socket.send('hello') })

app.get('/refused', { websocket: true, onRequest: refuse }, () => {})

app.get('/slow', { websocket: true, onRequest: takeTime }, (socket, request) => { socket.send(JSON.stringify(describe(request))) })

app.get('/state', async () => ({ name, clients: app.websocketServer.clients.size, connections, waiting }))

app.post('/body', { bodyLimit: 2 ** 20 }, async request => ({ length: request.body.text.length }))

await app.listen({ port: 0, host: '127.0.0.1' })
process.on('SIGTERM', () => app.close())
console.log(app.server.address().port)

async function refuse (request, reply) {
  return reply.code(401).header('www-authenticate', 'Bearer').send('no'.repeat(50_000))
}

// The old instance is about to be replaced, and asks a database that does not answer.
async function takeTime () {
  waiting++
  if (name === 'old') await new Promise(() => {})
}

function describe ({ ip, protocol, host, raw }) {
  return { name, ip, protocol, host, httpVersion: raw.httpVersion }
}
