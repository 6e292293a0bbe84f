// A page with 50 websockets that shows how many connections its browser opened for them: one, over HTTP/2.
//
//   openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -keyout key.pem -out cert.pem
//   KEY=key.pem CERT=cert.pem node examples/http2.mjs

import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import Fastify from 'fastify'
import websocket from 'fastify-wss'

const PAGE = `<!doctype html>
<html lang="en">
<title>Websockets over HTTP/2</title>
<h1>50 websockets</h1>
<p role="status">Connecting</p>
<script type="module">
  const sockets = Array.from({ length: 50 }, () => new WebSocket('/socket'))
  await Promise.all(sockets.map(socket => new Promise((resolve, reject) => {
    socket.onmessage = resolve
    socket.onerror = reject
  })))
  const { connections, versions } = await (await fetch('/connections')).json()
  document.querySelector('p').textContent = sockets.length + ' websockets, ' + connections + ' connections, HTTP/' + versions.join(' and ')
</script>
`

/** `tls`: the key and the certificate. Over HTTP/1.1 too, for browsers that have to. */
export async function build (tls, options) {
  const app = Fastify({ ...options, http2: true, https: { allowHTTP1: true, ...tls } })
  const versions = new Set()
  let connections = 0
  app.server.on('secureConnection', connection => {
    connections++
    connection.once('close', () => { connections-- })
  })

  await app.register(websocket)
  app.get('/', async (_request, reply) => reply.type('text/html').send(PAGE))
  app.get('/connections', async () => ({ connections, versions: [...versions] }))
  app.get('/socket', { websocket: true }, (socket, request) => {
    versions.add(request.raw.httpVersion)
    socket.send('hello')
  })
  return app
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { KEY = 'key.pem', CERT = 'cert.pem', PORT = '3000' } = process.env
  const app = await build({ key: readFileSync(KEY), cert: readFileSync(CERT) }, { logger: true, forceCloseConnections: true })
  process.on('SIGINT', () => { app.close() })
  await app.listen({ port: Number(PORT) })
}
