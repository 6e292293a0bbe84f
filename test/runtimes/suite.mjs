// What the plugin promises, checked from outside: node suite.mjs, bun suite.mjs, deno run -A suite.mjs.
// One line of JSON per check; words on the command line choose the checks whose names have one of them.
// runtimes.test.ts runs it, and holds the result against the table in the README.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import asyncapi from 'fastify-wss/asyncapi'
import messages from 'fastify-wss/messages'
import pubsub from 'fastify-wss/pubsub'
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws'
import { check, LIMIT, runChecks, until, within } from './checks.mjs'
import { BINARY, CLOSE, connect, CONTINUATION, frame, inMemory, PING, PONG, serve, TEXT } from './clients.mjs'

const echo = app => {
  app.get('/', { websocket: true }, socket => {
    socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
  })
}
const [key, cert] = await Promise.all(['key', 'cert'].map(name => readFile(new URL(`../helpers/tls/${name}.pem`, import.meta.url))))
const certificate = { key, cert }
const delay = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

// What runs

check('`ws` is the package from npm', async () => {
  assert.match(import.meta.resolve('ws'), /node_modules\/ws\//)
})

// Routes

check('text comes back as text, bytes as bytes, in order', async context => {
  const { connect } = await serve(context, {}, echo)
  const { socket, inbox } = await connect('/')
  socket.send('héllo')
  socket.send(Buffer.of(0, 255))
  socket.send('')
  for (const [expected, isBinary] of [[Buffer.from('héllo'), false], [Buffer.of(0, 255), true], [Buffer.alloc(0), false]]) {
    const message = await inbox.next()
    assert.deepEqual([message.data, message.isBinary], [expected, isBinary])
  }
})

check('a message of 4 MiB comes back whole', async context => {
  const { connect } = await serve(context, {}, echo)
  const { socket, inbox } = await connect('/')
  const large = Buffer.alloc(4 * 1024 * 1024, 'abc')
  socket.send(large)
  assert.ok((await inbox.next()).data.equals(large))
})

check('a handler gets params, query and headers of the handshake, and its own instance as `this`', async context => {
  const { connect } = await serve(context, {}, app => {
    app.register(async app => {
      app.decorate('room', 'north')
      app.get('/:id', { websocket: true }, function (socket, { params, query, headers, ip, host, ws }) {
        socket.send(JSON.stringify([this.room, params.id, query.a, headers.user, ip, host, ws]))
      })
    }, { prefix: '/rooms' })
  })
  const { inbox, socket } = await connect('/rooms/7?a=b', { headers: { user: 'Ada' } })
  assert.deepEqual((await inbox.next()).json(), ['north', '7', 'b', 'Ada', '127.0.0.1', new URL(socket.url).host, true])
})

check('hooks run before the handshake, in their order, and know an upgrade by `request.ws`', async context => {
  const seen = []
  const { connect, get } = await serve(context, {}, app => {
    for (const name of ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onSend', 'onResponse']) {
      app.addHook(name, async request => {
        await delay(1)
        seen.push(`${name} ${request.ws}`)
      })
    }
    app.get('/', { websocket: true }, socket => { seen.push('handler') })
    app.get('/plain', async () => 'plain')
  })
  await connect('/')
  await until(() => seen.includes('handler'), 'the handler')
  assert.deepEqual(seen, ['onRequest true', 'preParsing true', 'preValidation true', 'preHandler true', 'handler'])
  seen.length = 0
  assert.equal(await (await get('/plain')).text(), 'plain')
  assert.equal(seen[0], 'onRequest false')
})

check('one address serves plain requests and websockets', async context => {
  const { connect, get } = await serve(context, {}, app => {
    app.route({ method: 'GET', url: '/', handler: async () => 'plain', wsHandler: socket => socket.send('websocket') })
    app.get('/only', { websocket: true }, () => {})
  })
  assert.equal(await (await get('/')).text(), 'plain')
  assert.equal(String(await (await connect('/')).inbox.next()), 'websocket')
  assert.equal((await get('/only')).status, 404)
})

check('an upgrade to a route without a websocket handler opens and closes', async context => {
  const { connect } = await serve(context, {}, app => { app.get('/', async () => 'plain') })
  const { inbox } = await connect('/')
  assert.deepEqual(await inbox.closed, { code: 1005, reason: '' })
})

check('what hooks set on the reply goes out with the handshake, each cookie on a line of its own', async context => {
  const { raw } = await serve(context, {}, app => {
    app.addHook('onRequest', async (request, reply) => { reply.header('x-trace', '7').header('set-cookie', ['a=1', 'b=2']) })
    echo(app)
  })
  const response = await (await raw()).upgrade('/').response()
  assert.equal(response.status, 101)
  assert.equal(response.headers['x-trace'], '7')
  assert.deepEqual(response.lines.filter(line => /^set-cookie/i.test(line)).map(line => line.slice(12)), ['a=1', 'b=2'])
})

check('`handleProtocols` chooses the subprotocol', async context => {
  const { connect } = await serve(context, { options: { handleProtocols: protocols => [...protocols].at(-1) } }, echo)
  const { socket } = await connect('/', { protocols: ['chat.v1', 'chat.v2'] })
  assert.equal(socket.protocol, 'chat.v2')
})

check('without `handleProtocols` the first subprotocol that the client offers is chosen', async context => {
  const { connect } = await serve(context, {}, echo)
  assert.equal((await connect('/', { protocols: ['chat.v1', 'chat.v2'] })).socket.protocol, 'chat.v1')
})

check('`perMessageDeflate` compresses where the client offers it, and only then', async context => {
  const { raw } = await serve(context, { options: { perMessageDeflate: { threshold: 0 } } }, app => {
    app.get('/', { websocket: true }, socket => { socket.send('a'.repeat(1000), { compress: true }) })
  })
  const client = (await raw()).upgrade('/', { 'Sec-WebSocket-Extensions': 'permessage-deflate' })
  assert.match((await client.response()).headers['sec-websocket-extensions'] ?? 'none', /^permessage-deflate/)
  assert.ok((await client.frame()).payload.length < 100)

  const plain = (await raw()).upgrade('/')
  assert.equal((await plain.response()).headers['sec-websocket-extensions'], undefined)
  assert.equal((await plain.frame()).payload.length, 1000)
})

check('without `perMessageDeflate` nothing is compressed, whatever the client offers', async context => {
  const { raw } = await serve(context, {}, echo)
  const client = (await raw()).upgrade('/', { 'Sec-WebSocket-Extensions': 'permessage-deflate' })
  assert.equal((await client.response()).headers['sec-websocket-extensions'], undefined)
})

check('websockets are served over TLS, and the request knows it', async context => {
  const { port } = await serve(context, { fastify: { https: certificate } }, app => {
    app.get('/', { websocket: true }, (socket, request) => { socket.send(request.protocol) })
  })
  const { inbox } = await connect(context, `wss://127.0.0.1:${port}/`, { ca: certificate.cert })
  assert.equal(String(await inbox.next()), 'https')
})

check('`websocketServer.clients` has the open sockets, and `connection` tells of each', async context => {
  let told = 0
  const { app, connect } = await serve(context, {}, app => {
    app.websocketServer.on('connection', () => { told++ })
    echo(app)
  })
  const { socket } = await connect('/')
  await connect('/')
  assert.deepEqual([app.websocketServer.clients.size, told], [2, 2])
  socket.close()
  await until(() => app.websocketServer.clients.size === 1, 'one client less')
})

check('an event `headers` of `websocketServer` adds to the handshake', async context => {
  const { raw } = await serve(context, {}, app => {
    app.websocketServer.on('headers', lines => { lines.push('X-Added: yes') })
    echo(app)
  })
  assert.equal((await (await raw()).upgrade('/').response()).headers['x-added'], 'yes')
})

check('an event `wsClientError` of `websocketServer` answers a wrong handshake', async context => {
  const { raw } = await serve(context, {}, app => {
    app.websocketServer.on('wsClientError', (error, socket) => {
      socket.end(`HTTP/1.1 418 ${error.name}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    })
    echo(app)
  })
  const client = (await raw()).upgrade('/', { 'Sec-WebSocket-Key': 'short' })
  assert.equal((await client.response()).status, 418)
})

check('`websocketServer.options` is live: what is set there later holds for who comes later', async context => {
  const { app, connect } = await serve(context, {}, echo)
  app.websocketServer.options.handleProtocols = protocols => [...protocols].at(-1)
  app.websocketServer.options.maxPayload = 10
  const { socket, inbox } = await connect('/', { protocols: ['chat.v1', 'chat.v2'] })
  assert.equal(socket.protocol, 'chat.v2')
  socket.send('more than ten bytes')
  assert.equal((await inbox.closed).code, 1009)
})

check('`autoPong: false` leaves pings to the handler', async context => {
  const { raw } = await serve(context, { options: { autoPong: false } }, app => {
    app.get('/', { websocket: true }, socket => {
      socket.on('ping', data => { socket.send(`pinged ${data}`) })
    })
  })
  const client = (await raw()).upgrade('/', {}, frame(PING, 'x'))
  await client.response()
  assert.equal(String((await client.frame()).payload), 'pinged x')
})

check('the client that the runtime brings along is served', async context => {
  if (globalThis.WebSocket === undefined) return
  const { port } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, socket => {
      socket.on('message', data => { socket.close(4000, String(data)) })
    })
  })
  const socket = new globalThis.WebSocket(`ws://127.0.0.1:${port}/`)
  const closed = new Promise((resolve, reject) => {
    socket.onopen = () => { socket.send('hello') }
    socket.onclose = ({ code, reason }) => { resolve({ code, reason }) }
    socket.onerror = () => { reject(new Error('an error event')) }
  })
  assert.deepEqual(await within(closed, 'the close'), { code: 4000, reason: 'hello' })
})

check('messages in fragments, and of every `binaryType`, arrive whole', async context => {
  const { raw } = await serve(context, {}, app => {
    app.get('/:type', { websocket: true }, (socket, request) => {
      socket.binaryType = request.params.type
      socket.on('message', data => {
        const parts = Array.isArray(data) ? data : [data]
        socket.send(`${data.constructor.name} of ${parts.reduce((sum, part) => sum + (part.byteLength ?? part.size), 0)}`)
      })
    })
  })
  const fragments = [frame(BINARY, 'abc', { fin: false }), frame(CONTINUATION, 'de', { fin: false }), frame(CONTINUATION, 'f')]
  for (const [type, expected] of [['nodebuffer', 'Buffer of 6'], ['arraybuffer', 'ArrayBuffer of 6'], ['fragments', 'Array of 6']]) {
    const client = (await raw()).upgrade(`/${type}`, {}, ...fragments)
    await client.response()
    assert.equal(String((await client.frame()).payload), expected)
  }
})

check('`addEventListener` and `onmessage` hear as `on` does', async context => {
  const { connect } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, async socket => {
      await delay(10)
      socket.onmessage = ({ data }) => { socket.send(`onmessage ${data}`) }
      socket.addEventListener('message', ({ data }) => { socket.send(`addEventListener ${data}`) })
    })
  })
  const { socket, inbox } = await connect('/')
  socket.send('hello')
  assert.deepEqual([String(await inbox.next()), String(await inbox.next())].sort(), ['addEventListener hello', 'onmessage hello'])
})

check('a class of the application is the class of its sockets', async context => {
  class Named extends WebSocket {
    name = 'ours'
  }
  const { connect } = await serve(context, { options: { WebSocket: Named } }, app => {
    app.get('/', { websocket: true }, socket => { socket.send(`${socket.name} ${socket instanceof WebSocket}`) })
  })
  assert.equal(String(await (await connect('/')).inbox.next()), 'ours true')
})

check('what a hook runs in (`AsyncLocalStorage`) reaches the handler', async context => {
  const store = new AsyncLocalStorage()
  const { connect } = await serve(context, {}, app => {
    app.addHook('onRequest', (request, reply, done) => { store.run('Ada', done) })
    app.addHook('preHandler', async () => { await delay(5) })
    app.get('/', { websocket: true }, socket => { socket.send(store.getStore() ?? 'nobody') })
  })
  assert.equal(String(await (await connect('/')).inbox.next()), 'Ada')
})

check('an idle connection outlives the time limits of HTTP', async context => {
  const limits = { connectionTimeout: 100, requestTimeout: 100, keepAliveTimeout: 100, handlerTimeout: 100, http: { headersTimeout: 100 } }
  const { connect } = await serve(context, { fastify: limits }, echo)
  const { socket, inbox } = await connect('/')
  await delay(700)
  socket.send('still here')
  assert.equal(String(await inbox.next()), 'still here')
})

check('a client that reads slowly is waited for: `bufferedAmount`, and the callback of `send`', async context => {
  let onServer
  let sent = 0
  const { raw } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, socket => { onServer = socket })
  })
  const client = (await raw()).upgrade('/')
  await client.response()
  client.socket.pause()
  const part = Buffer.alloc(1024 * 1024)
  for (let n = 0; n < 16; n++) onServer.send(part, () => { sent++ })
  await delay(100)
  assert.ok(onServer.bufferedAmount > 1024 * 1024, `bufferedAmount is ${onServer.bufferedAmount}`)
  assert.ok(sent < 16, 'not all callbacks were called')
  client.socket.resume()
  for (let n = 0; n < 16; n++) assert.equal((await client.frame()).payload.length, part.length)
  await until(() => sent === 16 && onServer.bufferedAmount === 0, 'the end of the buffer')
})

check('websockets are served on a Unix socket', async context => {
  const folder = await mkdtemp(join(tmpdir(), 'runtimes-'))
  context.end(() => rm(folder, { recursive: true }))
  const path = join(folder, 'app.sock')
  await serve(context, { listen: { path } }, echo)
  const { socket, inbox } = await connect(context, `ws+unix:${path}:/`)
  socket.send('hello')
  assert.equal(String(await inbox.next()), 'hello')
})

check('websockets are served on each address of localhost', async context => {
  const { app } = await serve(context, { listen: { host: 'localhost', port: 0 } }, echo)
  for (const { address, family, port } of app.addresses()) {
    const { socket, inbox } = await connect(context, `ws://${family === 'IPv6' ? `[${address}]` : address}:${port}/`)
    socket.send(address)
    assert.equal(String(await inbox.next()), address)
  }
})

check('websockets are served by an application of HTTP/2 that allows HTTP/1.1', async context => {
  const { port } = await serve(context, { fastify: { http2: true, https: { allowHTTP1: true, ...certificate } } }, echo)
  const { socket, inbox } = await connect(context, `wss://127.0.0.1:${port}/`, { ca: certificate.cert })
  socket.send('hello')
  assert.equal(String(await inbox.next()), 'hello')
})

check('upgrades are taken from `options.server`', async context => {
  const server = createServer((request, response) => { response.end('not ours') })
  const app = await inMemory(context, echo, { options: { server } })
  await app.ready()
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  context.end(() => new Promise(resolve => server.close(resolve)))
  const { port } = server.address()
  const { socket, inbox } = await connect(context, `ws://127.0.0.1:${port}/`)
  socket.send('hello')
  assert.equal(String(await inbox.next()), 'hello')
})

check('beside another `upgrade` listener each serves its own', async context => {
  const { connect } = await serve(context, {}, app => {
    const other = new WebSocketServer({ noServer: true })
    app.server.on('upgrade', (request, socket, head) => {
      if (request.url === '/theirs') other.handleUpgrade(request, socket, head, socket => { socket.send('theirs') })
    })
    app.get('/ours', { websocket: true }, socket => { socket.send('ours') })
  })
  for (const name of ['theirs', 'ours']) assert.equal(String(await (await connect(`/${name}`)).inbox.next()), name)
})

// Plain requests

check('a request that offers another protocol is the plain request that it is, with its body, on a connection that stays', async context => {
  const { raw } = await serve(context, {}, app => {
    app.get('/', async () => 'plain')
    app.post('/', async request => request.body)
  })
  const client = await raw()
  const offer = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': '' }
  assert.equal((await client.request('GET', '/', offer).response()).body, 'plain')
  assert.equal((await client.request('GET', '/').response()).body, 'plain')
  const other = await raw()
  const body = JSON.stringify({ text: 'x'.repeat(100_000) })
  const posted = other.request('POST', '/', { ...offer, 'Content-Type': 'application/json', 'Content-Length': body.length }, body)
  assert.equal((await posted.response()).body, body)
})

check('an upgrade in HTTP/1.0 is the plain request that it is', async context => {
  const { raw } = await serve(context, {}, app => {
    app.route({ method: 'GET', url: '/', handler: async () => 'plain', wsHandler: () => {} })
  })
  const client = (await raw()).upgrade('/', { version: '1.0' })
  const { status, body } = await client.response()
  assert.deepEqual([status, body], [200, 'plain'])
})

for (const [what, headers, body] of [
  ['a length', { 'Content-Length': 5 }, 'hello'],
  ['chunks', { 'Transfer-Encoding': 'chunked' }, '5\r\nhello\r\n0\r\n\r\n']
]) {
  check(`an upgrade that announces a body by ${what} is answered 400, and its connection ends`, async context => {
    let handled = false
    const { raw } = await serve(context, {}, app => {
      app.get('/', { websocket: true }, () => { handled = true })
    })
    const client = (await raw()).upgrade('/', headers, Buffer.from(body))
    assert.equal((await client.response()).status, 400)
    await client.rest()
    assert.equal(handled, false)
  })
}

check('an upgrade behind a request that is not answered yet waits for its turn', async context => {
  const { raw } = await serve(context, {}, app => {
    app.get('/slow', async () => {
      await delay(50)
      return 'slow'
    })
    echo(app)
  })
  const client = (await raw()).request('GET', '/slow').upgrade('/')
  assert.equal((await client.response()).body, 'slow')
  assert.equal((await client.response()).status, 101)
})

check('a plain request and then an upgrade on one connection are both served', async context => {
  const { raw } = await serve(context, {}, app => {
    app.get('/plain', async () => 'plain')
    echo(app)
  })
  const client = (await raw()).request('GET', '/plain')
  assert.equal((await client.response()).body, 'plain')
  assert.equal((await client.upgrade('/', {}, frame(TEXT, 'hi')).response()).status, 101)
  assert.equal(String((await client.frame()).payload), 'hi')
})

// Refusals

check('a hook that replies refuses: status, headers and a body of 100 KB arrive, then the connection ends', async context => {
  const body = 'no'.repeat(50_000)
  const { raw } = await serve(context, {}, app => {
    app.addHook('onRequest', async (request, reply) => reply.code(401).header('www-authenticate', 'Bearer').send(body))
    echo(app)
  })
  const client = (await raw()).upgrade('/')
  const response = await client.response()
  assert.equal(response.status, 401)
  assert.equal(response.headers['www-authenticate'], 'Bearer')
  assert.equal(response.headers.connection?.toLowerCase(), 'close')
  assert.ok(response.body === body, `${response.body.length} characters of the body`)
  assert.equal((await client.rest()).length, 0)
})

check('a client that sends ahead and reads late gets all of its refusal', async context => {
  const body = 'no'.repeat(2 ** 20)
  const { raw } = await serve(context, {}, app => {
    app.addHook('preValidation', async (request, reply) => {
      await delay(20)
      return reply.code(403).send(body)
    })
    echo(app)
  })
  const client = await raw()
  client.socket.pause()
  client.upgrade('/', {}, frame(BINARY, Buffer.alloc(2 ** 20)))
  await delay(200)
  client.socket.resume()
  const response = await client.response()
  assert.equal(response.status, 403)
  assert.ok(response.body === body, `${response.body.length} characters of the body`)
  await client.rest()
})

check('a hook that throws refuses with what the error handler of Fastify answers', async context => {
  const { raw } = await serve(context, {}, app => {
    app.setErrorHandler((error, request, reply) => reply.code(418).send({ teapot: error.message }))
    app.addHook('preHandler', async () => { throw new Error('short and stout') })
    echo(app)
  })
  const client = (await raw()).upgrade('/')
  const { status, body } = await client.response()
  assert.deepEqual([status, JSON.parse(body)], [418, { teapot: 'short and stout' }])
  await client.rest()
})

for (const [what, path, status] of [['to no route', '/nowhere', 404], ['that the schema forbids', '/rooms/x', 400], ['with a path that cannot be decoded', '/rooms/%zz', 400]]) {
  check(`an upgrade ${what} is answered ${status}, and its connection ends`, async context => {
    const { raw } = await serve(context, {}, app => {
      app.get('/rooms/:id', { websocket: true, schema: { params: { type: 'object', properties: { id: { type: 'integer' } } } } }, () => {})
    })
    const client = (await raw()).upgrade(path)
    const response = await client.response()
    assert.equal(response.status, status)
    assert.equal(JSON.parse(response.body).statusCode, status)
    await client.rest()
  })
}

check('an upgrade that is no websocket handshake is refused with 400', async context => {
  const { raw } = await serve(context, {}, echo)
  const client = (await raw()).upgrade('/', { 'Sec-WebSocket-Key': 'short' })
  assert.equal((await client.response()).status, 400)
  await client.rest()
})

check('`verifyClient` refuses with its promise, and with its callback', async context => {
  const late = await serve(context, { options: { verifyClient: async () => { await delay(5); return false } } }, echo)
  assert.equal((await (await late.raw()).upgrade('/').response()).status, 401)
  const other = await serve(context, { options: { verifyClient: (info, next) => { next(false, 403, 'Not you') } } }, echo)
  assert.equal((await (await other.raw()).upgrade('/').response()).status, 403)
})

check('`verifyClient` lets in with its promise', async context => {
  const { connect } = await serve(context, { options: { verifyClient: async ({ req }) => { await delay(5); return req.url === '/' } } }, echo)
  const { socket, inbox } = await connect('/')
  socket.send('hello')
  assert.equal(String(await inbox.next()), 'hello')
})

check('the client of ws learns the status and the body of a refusal', async context => {
  const { port } = await serve(context, {}, app => {
    app.addHook('onRequest', async (request, reply) => reply.code(401).send('who are you?'))
    echo(app)
  })
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
  socket.on('error', () => {})
  context.end(() => socket.terminate())
  const [, response] = await within(once(socket, 'unexpected-response'), 'the refusal')
  let body = ''
  for await (const chunk of response) body += chunk
  assert.deepEqual([response.statusCode, body], [401, 'who are you?'])
})

check('a client that leaves while hooks run aborts `request.signal`, and the handler does not run', async context => {
  let handled = false
  let aborted = false
  let asked = false
  const { raw } = await serve(context, {}, app => {
    app.addHook('onRequest', async request => {
      asked = true
      request.signal.addEventListener('abort', () => { aborted = true })
      await until(() => aborted, 'the abort')
    })
    app.get('/', { websocket: true }, () => { handled = true })
  })
  const client = (await raw()).upgrade('/')
  await until(() => asked, 'the hook')
  client.socket.destroy()
  await until(() => aborted, 'the abort of the signal')
  await delay(20)
  assert.equal(handled, false)
})

// Upgrades that the application takes

// What comes in one packet with the upgrade is not on its socket, so these clients wait until they are asked for.
for (const isLate of [false, true]) {
  const when = isLate ? 'while its client sends already' : 'at once'

  check(`a hook takes an upgrade ${when}, and gives it to \`ws\`: every message arrives, and \`app.close()\` ends`, async context => {
    let take
    const { app, raw } = await serve(context, {}, app => {
      app.get('/', { websocket: true, onRequest }, () => {})
      async function onRequest (request, reply) {
        if (isLate) await new Promise(resolve => { take = resolve })
        reply.hijack()
        app.websocketServer.handleUpgrade(request.raw, request.raw.socket, Buffer.alloc(0), socket => {
          socket.on('message', data => { socket.send(data.length) })
        })
      }
    })
    const client = (await raw()).upgrade('/')
    if (isLate) await until(() => take, 'the hook')
    else assert.equal((await client.response()).status, 101)
    for (let n = 0; n < 10; n++) client.write(frame(BINARY, Buffer.alloc(10_000)))
    if (isLate) {
      await delay(20)
      take()
      assert.equal((await client.response()).status, 101)
    }
    for (let n = 0; n < 10; n++) client.write(frame(BINARY, Buffer.alloc(10_000)))
    for (let n = 0; n < 20; n++) assert.equal(String((await client.frame()).payload), '10000')

    const closing = app.close()
    assert.equal((await client.frame()).opcode, CLOSE)
    client.write(frame(CLOSE, '')).socket.end()
    await within(closing, 'app.close()')
  })

  check(`a hook takes an upgrade ${when}, for a protocol of its own: what comes goes to it alone, also when the application closes`, async context => {
    let take
    const { app, raw } = await serve(context, {}, app => {
      app.get('/', { websocket: true, onRequest }, () => {})
      async function onRequest (request, reply) {
        if (isLate) await new Promise(resolve => { take = resolve })
        reply.hijack()
        const { socket } = request.raw
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
        socket.pipe(socket)
      }
    })
    const client = (await raw()).upgrade('/')
    if (isLate) await until(() => take, 'the hook')
    else assert.equal((await client.response()).status, 101)
    client.write('one ')
    await delay(20)
    if (isLate) {
      take()
      assert.equal((await client.response()).status, 101)
    }
    client.write('two ')
    const closing = app.close()
    await delay(20)
    client.write('three')
    client.socket.end()
    assert.equal(String(await client.rest()), 'one two three')
    await within(closing, 'app.close()')
  })
}

// Early messages

check('messages in one packet with the upgrade arrive', async context => {
  const { raw } = await serve(context, {}, echo)
  const client = (await raw()).upgrade('/', {}, frame(TEXT, 'one'), frame(TEXT, 'two'))
  await client.response()
  assert.deepEqual([String((await client.frame()).payload), String((await client.frame()).payload)], ['one', 'two'])
})

check('messages that come while hooks take their time arrive, also 256 KiB of them', async context => {
  const { raw } = await serve(context, {}, app => {
    app.addHook('preHandler', async () => { await delay(50) })
    echo(app)
  })
  const large = Buffer.alloc(256 * 1024, 7)
  const client = (await raw()).upgrade('/', {}, frame(TEXT, 'one'))
  await delay(10)
  client.write(frame(BINARY, large))
  await client.response()
  assert.equal(String((await client.frame()).payload), 'one')
  assert.ok((await client.frame()).payload.equals(large))
})

check('messages wait, in order, until an async handler listens, and pings are answered meanwhile', async context => {
  let listen
  const { raw } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, async socket => {
      await new Promise(resolve => { listen = resolve })
      socket.on('message', data => { socket.send(data, { binary: false }) })
    })
  })
  const client = (await raw()).upgrade('/', {}, frame(TEXT, 'one'), frame(TEXT, 'two'))
  await client.response()
  client.write(Buffer.concat([frame(TEXT, 'three'), frame(PING, 'there?')]))
  const { opcode, payload } = await client.frame()
  assert.deepEqual([opcode, String(payload)], [PONG, 'there?'])
  listen()
  for (const text of ['one', 'two', 'three']) assert.equal(String((await client.frame()).payload), text)
})

check('a handler may await one message after the other', async context => {
  const { raw } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, async socket => {
      for (let n = 0; n < 3; n++) {
        const [data] = await once(socket, 'message')
        await delay(5)
        socket.send(`${n}: ${data}`)
      }
      socket.close()
    })
  })
  const client = (await raw()).upgrade('/', {}, ...['a', 'b', 'c'].map(text => frame(TEXT, text)))
  await client.response()
  for (const text of ['0: a', '1: b', '2: c']) assert.equal(String((await client.frame()).payload), text)
})

check('a handler that only pushes is told when its client leaves, however much that has sent', async context => {
  let left = false
  const { connect } = await serve(context, { handshakeTimeout: 200 }, app => {
    app.get('/', { websocket: true }, async socket => {
      const timer = setInterval(() => { socket.send('news') }, 20)
      await once(socket, 'close')
      clearInterval(timer)
      left = true
    })
  })
  const { socket } = await connect('/')
  for (let n = 0; n < 6000; n++) socket.send('twenty bytes or more')
  const pong = once(socket, 'pong')
  socket.ping()
  await within(pong, 'the answer to a ping')
  socket.close()
  await until(() => left, 'the close')
})

check('8 MiB that come before an async handler listens all arrive', async context => {
  const COUNT = 128
  let received = 0
  let listen
  const { raw } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, async socket => {
      await new Promise(resolve => { listen = resolve })
      socket.on('message', data => { received += data.length })
    })
  })
  const client = (await raw()).upgrade('/')
  await client.response()
  for (let n = 0; n < COUNT; n++) client.write(frame(BINARY, Buffer.alloc(64 * 1024)))
  await delay(100)
  listen()
  await until(() => received === COUNT * 64 * 1024, 'all of it').catch(error => { throw new Error(`${error.message}: ${received} bytes`) })
})

check('a client that sends 64 MiB before an async handler listens is held back', async context => {
  const { raw } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, async () => { await delay(LIMIT) })
  })
  const client = (await raw()).upgrade('/')
  await client.response()
  const part = frame(BINARY, Buffer.alloc(1024 * 1024))
  for (let n = 0; n < 64; n++) client.write(part)
  await delay(500)
  assert.ok(client.socket.writableLength > 0, 'the server has taken all of it')
})

// Close codes

check('the code and reason of a handler reach the client', async context => {
  const { connect } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, socket => { socket.close(4000, 'enough') })
  })
  assert.deepEqual(await (await connect('/')).inbox.closed, { code: 4000, reason: 'enough' })
})

for (const [what, leave, expected] of [
  ['with a code and a reason', socket => socket.close(4001, 'bye'), [4001, 'bye']],
  ['with a code', socket => socket.close(1000), [1000, '']],
  ['without a code', socket => socket.close(), [1005, '']],
  ['without a word', socket => socket.terminate(), [1006, '']]
]) {
  check(`a client that leaves ${what} is seen with ${expected[0]}`, async context => {
    let closed
    const { connect } = await serve(context, {}, app => {
      app.get('/', { websocket: true }, socket => {
        closed = once(socket, 'close')
      })
    })
    const { socket } = await connect('/')
    leave(socket)
    const [code, reason] = await within(closed, 'the close')
    assert.deepEqual([code, String(reason)], expected)
  })
}

check('a client that resets its connection is seen with 1006, and the others stay', async context => {
  let closed
  const { connect, raw } = await serve(context, {}, app => {
    app.get('/reset', { websocket: true }, socket => { closed = once(socket, 'close') })
    echo(app)
  })
  const { socket, inbox } = await connect('/')
  const client = (await raw()).upgrade('/reset')
  await client.response()
  client.socket.resetAndDestroy()
  assert.equal((await within(closed, 'the close'))[0], 1006)
  socket.send('still here')
  assert.equal(String(await inbox.next()), 'still here')
})

check('a client that is terminated sees 1006', async context => {
  const { connect } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, socket => {
      socket.on('message', () => { socket.terminate() })
    })
  })
  const { socket, inbox } = await connect('/')
  socket.send('go')
  assert.equal((await inbox.closed).code, 1006)
})

for (const [what, code, bytes] of [
  ['an unmasked frame', 1002, frame(TEXT, 'hello', { masked: false })],
  ['text that is not UTF-8', 1007, frame(TEXT, Buffer.of(0xff))],
  ['a message over `maxPayload`', 1009, frame(BINARY, Buffer.alloc(2000))]
]) {
  check(`${what} is answered with a close frame that says ${code}`, async context => {
    const { raw } = await serve(context, { options: { maxPayload: 1000 } }, echo)
    const client = (await raw()).upgrade('/')
    await client.response()
    const { opcode, payload } = await client.write(bytes).frame()
    assert.deepEqual([opcode, payload.readUInt16BE()], [CLOSE, code])
  })
}

check('the client closes, and the answer to it is a close frame with its code', async context => {
  const { raw } = await serve(context, {}, echo)
  const client = (await raw()).upgrade('/')
  await client.response()
  const { opcode, payload } = await client.write(frame(CLOSE, Buffer.concat([Buffer.of(0x0f, 0xa1), Buffer.from('bye')]))).frame()
  assert.deepEqual([opcode, payload.readUInt16BE()], [CLOSE, 4001])
  await client.rest()
})

check('pings go both ways, with their data', async context => {
  const pongs = []
  const { connect } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, socket => {
      socket.on('pong', data => { pongs.push(String(data)) })
      socket.on('ping', data => { pongs.push(`pinged ${data}`) })
      socket.ping('are you there?')
    })
  })
  const { socket } = await connect('/')
  const pong = once(socket, 'pong')
  socket.ping('and you?')
  assert.equal(String((await within(pong, 'the pong'))[0]), 'and you?')
  await until(() => pongs.length === 2, 'both')
  assert.deepEqual(pongs.sort(), ['are you there?', 'pinged and you?'])
})

check('a socket that is paused delivers when it is resumed', async context => {
  let onServer
  const received = []
  const { connect } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, socket => {
      onServer = socket
      socket.on('message', data => { received.push(String(data)) })
      socket.pause()
    })
  })
  const { socket } = await connect('/')
  socket.send('waits')
  await delay(50)
  assert.deepEqual([received, onServer.isPaused], [[], true])
  onServer.resume()
  await until(() => received.length === 1, 'the message')
})

check('a socket is a stream with `createWebSocketStream`', async context => {
  const { connect } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, socket => {
      const stream = createWebSocketStream(socket)
      stream.on('error', () => {})
      stream.pipe(stream)
    })
  })
  const { socket, inbox } = await connect('/')
  socket.send('there and back')
  assert.equal(String(await inbox.next()), 'there and back')
})

// Errors

for (const [what, handler] of [['throws', () => { throw new Error('not today') }], ['rejects', async () => { throw new Error('not today') }]]) {
  check(`a handler that ${what} is logged, its socket terminated, and no other`, async context => {
    const { connect, logged } = await serve(context, {}, app => {
      app.get('/fails', { websocket: true }, handler)
      echo(app)
    })
    const { socket, inbox } = await connect('/')
    assert.equal((await (await connect('/fails')).inbox.closed).code, 1006)
    await logged('not today')
    socket.send('still here')
    assert.equal(String(await inbox.next()), 'still here')
  })
}

check('`errorHandler` gets the error with socket, request and reply, and its close code reaches the client', async context => {
  const seen = []
  const errorHandler = (error, socket, request, reply) => {
    seen.push(error.message, request.url, typeof reply.send)
    socket.close(1011, 'sorry')
  }
  const { connect } = await serve(context, { errorHandler }, app => {
    app.get('/', { websocket: true }, async () => { throw new Error('not today') })
  })
  assert.deepEqual(await (await connect('/')).inbox.closed, { code: 1011, reason: 'sorry' })
  assert.deepEqual(seen, ['not today', '/', 'function'])
})

check('50 clients that reset their connections at every stage leave an application that serves', async context => {
  const { connect, raw } = await serve(context, {}, app => {
    app.addHook('onRequest', async () => { await delay(5) })
    app.addHook('preHandler', async (request, reply) => {
      if (request.url === '/refused') await reply.code(403).send('x'.repeat(100_000))
    })
    app.get('/refused', { websocket: true }, () => {})
    echo(app)
  })
  await Promise.all(Array.from({ length: 50 }, async (_, index) => {
    const client = (await raw()).upgrade(index % 2 === 0 ? '/' : '/refused', {}, frame(TEXT, 'hello'))
    await delay(index % 15)
    client.socket.resetAndDestroy()
  }))
  const { socket, inbox } = await connect('/')
  socket.send('hello')
  assert.equal(String(await inbox.next()), 'hello')
})

// Shutdown

check('`app.close()` closes 50 clients with the code and reason of `shutdown`, and ends', async context => {
  const { app, connect, port } = await serve(context, { shutdown: { code: 1001, reason: 'restarting' } }, echo)
  const clients = await Promise.all(Array.from({ length: 50 }, () => connect('/')))
  await within(app.close(), 'app.close()')
  for (const { inbox } of clients) assert.deepEqual(await inbox.closed, { code: 1001, reason: 'restarting' })
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`))
})

check('`app.close()` without options closes clients with an empty close frame', async context => {
  const { app, connect } = await serve(context, {}, echo)
  const { inbox } = await connect('/')
  await within(app.close(), 'app.close()')
  assert.deepEqual(await inbox.closed, { code: 1005, reason: '' })
})

for (const clientTracking of [true, false]) {
  check(`a silent client cannot hold up \`app.close()\` past \`shutdown.timeout\`, with clientTracking ${clientTracking}`, async context => {
    const { app, raw } = await serve(context, { shutdown: { timeout: 200 }, options: { clientTracking } }, echo)
    const client = (await raw()).upgrade('/')
    await client.response()
    await within(app.close(), 'app.close()')
    await client.rest()
  })
}

check('an upgrade that waits for a hook when the application closes is refused with 503', async context => {
  let asked = false
  const { app, raw } = await serve(context, {}, app => {
    app.addHook('onRequest', async () => {
      asked = true
      await delay(LIMIT)
    })
    echo(app)
  })
  const client = (await raw()).upgrade('/')
  await until(() => asked, 'the hook')
  await within(app.close(), 'app.close()')
  const { status, body } = await client.response()
  assert.deepEqual([status, JSON.parse(body).code], [503, 'FST_WS_CLOSING'])
})

check('`preClose` parts from the clients in the way of the application', async context => {
  const preClose = async function () {
    for (const socket of this.websocketServer.clients) socket.close(1012, 'back in a minute')
  }
  const { app, connect } = await serve(context, { preClose }, echo)
  const { inbox } = await connect('/')
  await within(app.close(), 'app.close()')
  assert.deepEqual(await inbox.closed, { code: 1012, reason: 'back in a minute' })
})

check('a handler that still works when the application closes holds nothing up', async context => {
  const { app, connect } = await serve(context, {}, app => {
    app.get('/', { websocket: true }, async socket => { await once(socket, 'never') })
  })
  const { inbox } = await connect('/')
  await within(app.close(), 'app.close()')
  assert.equal((await inbox.closed).code, 1005)
})

// injectWS

check('`injectWS` opens a client over memory before `listen`, and nothing sent at once is missing', async context => {
  const app = await inMemory(context, app => {
    app.get('/', { websocket: true }, (socket, request) => {
      socket.send(`${request.headers['x-user']} from ${request.ip}`)
      socket.on('message', data => { socket.send(data) })
    })
  })
  const socket = await app.injectWS('/', { headers: { 'X-User': 'Ada' }, socket: { remoteAddress: '10.0.0.1' } })
  const first = once(socket, 'message')
  assert.equal(String((await within(first, 'the greeting'))[0]), 'Ada from 10.0.0.1')
  const second = once(socket, 'message')
  socket.send('hello')
  assert.equal(String((await within(second, 'the echo'))[0]), 'hello')
})

check('`injectWS` rejects with status, headers and body of a refusal', async context => {
  const app = await inMemory(context, app => {
    app.addHook('onRequest', async (request, reply) => reply.code(401).header('www-authenticate', 'Bearer').send({ who: 'are you?' }))
    echo(app)
  })
  const error = await within(app.injectWS('/').catch(error => error), 'the refusal')
  assert.equal(error.message, 'Unexpected server response: 401')
  assert.deepEqual([error.statusCode, error.headers['www-authenticate'], error.body], [401, 'Bearer', '{"who":"are you?"}'])
})

check('`injectWS`: close codes go both ways', async context => {
  let onServer
  const app = await inMemory(context, app => {
    app.get('/', { websocket: true }, socket => {
      onServer = once(socket, 'close')
      socket.on('message', data => { socket.close(4000, String(data)) })
    })
  })
  const first = await app.injectWS('/')
  first.send('enough')
  const [code, reason] = await within(once(first, 'close'), 'the close')
  assert.deepEqual([code, String(reason)], [4000, 'enough'])

  const second = await app.injectWS('/')
  second.close(4001, 'bye')
  const [seen, why] = await within(onServer, 'the close at the server')
  assert.deepEqual([seen, String(why)], [4001, 'bye'])
})

check('`injectWS`: `onInit`, `onOpen` and a subprotocol', async context => {
  const called = []
  const app = await inMemory(context, echo)
  const socket = await app.injectWS('/', {}, {
    protocols: ['chat'],
    onInit: () => { called.push('onInit') },
    onOpen: () => { called.push('onOpen') }
  })
  assert.deepEqual([called, socket.protocol], [['onInit', 'onOpen'], 'chat'])
  socket.terminate()
})

check('`injectWS`: the application closes, and its client is told', async context => {
  const app = await inMemory(context, echo)
  const closed = once(await app.injectWS('/'), 'close')
  await within(app.close(), 'app.close()')
  assert.equal((await within(closed, 'the close'))[0], 1005)
})

check('`injectWS` gives up after its `timeout`, and when its `signal` aborts', async context => {
  const app = await inMemory(context, app => {
    app.addHook('onRequest', async () => { await delay(500) })
    echo(app)
  })
  await assert.rejects(within(app.injectWS('/', {}, { timeout: 20 }), 'the timeout'), { code: /^FST_WS_INJECT/ })
  await assert.rejects(within(app.injectWS('/', {}, { signal: AbortSignal.timeout(20) }), 'the signal'), { code: /^FST_WS_INJECT/ })
})

// Entry points

const COUNTING = {
  receive: { type: 'object', required: ['count'], properties: { count: { type: 'integer' } } },
  send: { type: 'object', properties: { next: { type: 'integer' } } }
}

check('messages are validated, answered by their schema and described', async context => {
  const { app, connect } = await serve(context, {}, async app => {
    await app.register(asyncapi, { info: { title: 'Counting', version: '1.0.0' } })
    await app.register(messages)
    app.get('/', { websocket: true, schema: { messages: COUNTING } }, async socket => {
      for await (const { count } of socket.messages()) await socket.sendMessage({ next: count + 1, secret: 'kept' })
    })
  })
  const { socket, inbox } = await connect('/')
  for (let count = 0; count < 100; count++) socket.send(JSON.stringify({ count }))
  for (let next = 1; next <= 100; next++) assert.equal(String(await inbox.next()), `{"next":${next}}`)
  socket.send('{"count":"many"}')
  assert.deepEqual(await inbox.closed, { code: 1008, reason: 'message/count must be integer' })
  assert.deepEqual(Object.values(app.asyncapi().channels).map(({ address }) => address), ['/'])
})

check('what is published to a topic comes to all who subscribe, in order with what the socket sends', async context => {
  const { app, connect } = await serve(context, {}, async app => {
    await app.register(pubsub)
    app.get('/', { websocket: true }, async socket => {
      await socket.subscribe('all')
      socket.send('subscribed')
      socket.on('message', data => {
        socket.send(`before ${data}`)
        app.pubsub.publish('all', String(data))
        socket.send(`behind ${data}`)
      })
    })
  })
  const [one, other] = [await connect('/'), await connect('/')]
  for (const { inbox } of [one, other]) assert.equal(String(await inbox.next()), 'subscribed')
  for (const number of [1, 2, 3]) one.socket.send(String(number))
  for (const number of [1, 2, 3]) {
    for (const text of [`before ${number}`, String(number), `behind ${number}`]) assert.equal(String(await one.inbox.next()), text)
    assert.equal(String(await other.inbox.next()), String(number))
  }
  assert.equal(app.pubsub.count('all'), 2)
})

await runChecks(process.argv.slice(2))
process.exit()
