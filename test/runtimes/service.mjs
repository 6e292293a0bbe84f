// A service as it is deployed: SIGTERM closes it, and the process ends by itself.
import Fastify from 'fastify'
import websocket from 'fastify-wss'

const app = Fastify()
await app.register(websocket, { shutdown: { code: 1012, reason: 'restarting', timeout: 500 } })
app.get('/', { websocket: true }, socket => { socket.send('hello') })
app.get('/never', { websocket: true, onRequest: () => { console.log('asked') } }, () => {})
await app.listen({ port: 0, host: '127.0.0.1' })
process.on('SIGTERM', () => app.close())
console.log(`http://127.0.0.1:${app.server.address().port}`)
