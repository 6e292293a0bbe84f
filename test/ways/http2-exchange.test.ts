import t from 'tap'
import type { Http2ServerRequest } from 'node:http2'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { WebSocketServer } from 'ws'
import { sealResponse } from '../../src/ways/http2-exchange'
import { start } from '../helpers/app'
import { frame } from '../helpers/frames'
import { answerTo, connectStream, framesOf, openSession, responseTo } from '../helpers/http2-clients'
import { checkLeaksAtEnd } from '../helpers/leaks'

checkLeaksAtEnd(t)

t.test('reads as the GET that asks for a websocket over HTTP/1.1', async t => {
  const running = await start(t, { over: 'h2' }, app => {
    app.get('/path/:name', {
      websocket: true,
      preHandler: async request => {
        const { method, url, headers, httpVersion } = request.raw
        t.match({ method, url, httpVersion }, { method: 'GET', url: '/path/x?a=b', httpVersion: '2.0' })
        t.match(headers, { host: 'localhost', connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': /^.{22}==$/, cookie: 'a=b' })
        t.match({ method: request.method, params: request.params, query: request.query }, { method: 'GET', params: { name: 'x' }, query: { a: 'b' } })
        t.match({ ip: request.ip, host: request.host, protocol: request.protocol, ws: request.ws }, { ip: '127.0.0.1', host: 'localhost', protocol: 'https', ws: true })
      }
    }, socket => { socket.close(4000) })
  })
  const stream = connectStream(await openSession(t, running), '/path/x?a=b', { cookie: 'a=b' })
  await answerTo(stream)

  t.equal((await framesOf(stream)()).payload.readUInt16BE(), 4000)
})

t.test('has a socket that is read and written as the stream, with the addresses of the connection', async t => {
  const other = new WebSocketServer({ noServer: true })
  const running = await start(t, { over: 'h2' }, app => {
    app.addHook('onRequest', async (request, reply) => {
      const { socket } = request.raw
      t.equal(socket, request.raw.socket)
      t.equal(socket.remoteAddress, '127.0.0.1')
      t.equal(Reflect.get(socket, 'encrypted'), true)
      t.equal(socket.setNoDelay(true).setKeepAlive(), socket)
      t.equal(Reflect.get(socket, 'nothing'), undefined)
      reply.hijack()
      other.handleUpgrade(request.raw, socket, Buffer.alloc(0), socket => { socket.on('message', data => { socket.send(String(data)) }) })
    })
    declare(app)
  })
  const stream = connectStream(await openSession(t, running))
  const next = framesOf(stream)
  stream.write(frame('text', 'hello'))

  t.equal(String((await next()).payload), 'hello')
})

t.test('still is a socket when its session has gone', async t => {
  const sockets: Socket[] = []
  const running = await start(t, { over: 'h2c' }, app => {
    app.addHook('onRequest', async request => { sockets.push(request.raw.socket) })
    declare(app)
  })
  const session = await openSession(t, running)
  const stream = connectStream(session)
  await answerTo(stream)
  session.destroy()
  await new Promise(resolve => { sockets[0]?.on('close', resolve) })

  t.equal(sockets[0]?.remoteAddress, undefined)
  t.equal(sockets[0]?.destroyed, true)
})

t.test('drops what is written to a response that is whole', async t => {
  const running = await start(t, { over: 'h2c' }, app => {
    app.addHook('onRequest', async ({ raw: { url } }, reply) => {
      if (url !== '/sealed') return
      reply.hijack()
      reply.raw.end('whole')
      sealResponse(reply.raw)
      t.equal(reply.raw.write('late'), false)
      t.equal(reply.raw.writeHead(200), reply.raw)
      t.equal(reply.raw.end('late'), reply.raw)
    })
    declare(app)
  })
  const session = await openSession(t, running)

  t.match(await responseTo(connectStream(session, '/sealed')), { status: 403, body: 'whole' })
})

t.test('lets go of a stream that is open', async t => {
  let request: FastifyRequest | undefined
  const events: string[] = []
  const running = await start(t, { over: 'h2c' }, app => {
    app.get('/', { websocket: true }, (_socket, given) => {
      request = given
      for (const event of ['aborted', 'close', 'end']) given.raw.on(event, () => { events.push(event) })
    })
  })
  const stream = connectStream(await openSession(t, running))
  await answerTo(stream)
  const served = (request?.raw as object as Http2ServerRequest).stream
  const names = ['trailers', 'end', 'aborted', 'close', 'drain', 'wantTrailers', 'timeout'].flatMap(event => served.listeners(event).map(({ name }) => name))
  const kept = Object.getOwnPropertySymbols(served).filter(({ description }) => description === 'request' || description === 'response')

  t.same(names.filter(name => name.startsWith('onStream')), [])
  t.ok(kept.length > 0, 'Node keeps them where it did')
  for (const key of kept) t.equal(Reflect.get(served, key), undefined)
  stream.close(8)
  await new Promise(resolve => { served.on('close', resolve) })
  t.same(events, [])
})

function declare (app: FastifyInstance): void {
  app.get('/', { websocket: true }, () => {})
}
