import t from 'tap'
import { once } from 'node:events'
import type { Http2ServerRequest, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { WebSocketServer, type WebSocket } from 'ws'
import type { VerifyClient } from '../../types'
import { start } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { closeFrame, frame, OPCODES } from '../helpers/frames'
import { answerTo, closed, connectStream, framesOf, openSession, responseTo } from '../helpers/http2-clients'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { echo } from '../helpers/routes'

checkLeaksAtEnd(t)

const CANCEL = 8
const WHOLE = Buffer.alloc(3 * 1024 * 1024, 'whole ')

t.test('answers with what hooks set on the reply, each Set-Cookie for itself', async t => {
  const running = await start(t, { over: 'h2c' }, app => {
    app.addHook('onRequest', async (request, reply) => { reply.header('x-hook', 'yes').header('set-cookie', ['a=1', 'b=2']).header('content-type', 'no') })
    echo(app)
  })
  const headers = await answerTo(connectStream(await openSession(t, running), '/', { 'sec-websocket-protocol': 'one, two' }))

  t.match(headers, { ':status': 200, 'x-hook': 'yes', 'set-cookie': ['a=1', 'b=2'], 'sec-websocket-protocol': 'one' })
  for (const name of ['content-type', 'sec-websocket-accept', 'upgrade', 'connection']) t.notOk(name in headers, name)
})

t.test('answers a key, which some clients send', async t => {
  const running = await start(t, { over: 'h2c' }, echo)
  const key = 'dGhlIHNhbXBsZSBub25jZQ=='
  const headers = await answerTo(connectStream(await openSession(t, running), '/', { 'sec-websocket-key': key }))

  t.equal(headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

t.test('closes with a code both ways, and the session lives', async t => {
  const seen: unknown[] = []
  const running = await start(t, { over: 'h2c' }, app => {
    app.get('/', { websocket: true }, socket => { socket.on('close', (code, reason) => { seen.push(code, String(reason)) }) })
    app.get('/theirs', { websocket: true }, socket => { socket.close(4001, 'bye') })
  })
  const session = await openSession(t, running)
  const ours = connectStream(session)
  await answerTo(ours)
  const next = framesOf(ours)
  ours.write(closeFrame(4000, 'leaving'))
  t.equal((await next()).payload.readUInt16BE(), 4000)
  ours.end()
  t.equal(await closed(ours), 0)
  await until(() => seen.length === 2, 'the close')
  t.same(seen, [4000, 'leaving'])

  const theirs = connectStream(session, '/theirs')
  const { opcode, payload } = await framesOf(theirs)()
  t.same([opcode, payload.readUInt16BE(), payload.toString('utf8', 2)], [OPCODES.close, 4001, 'bye'])
  theirs.end(closeFrame(4001))
  t.equal(await closed(theirs), 0)
  t.equal((await answerTo(connectStream(session)))[':status'], 200)
})

t.test('resets the stream of a websocket that is terminated', async t => {
  const running = await start(t, { over: 'h2c' }, app => {
    app.get('/', { websocket: true }, socket => { socket.on('message', () => { socket.terminate() }) })
  })
  const session = await openSession(t, running)
  const stream = connectStream(session)
  stream.write(frame('text', 'go'))

  t.equal(await closed(stream), CANCEL)
  t.equal((await answerTo(connectStream(session)))[':status'], 200)
})

const leavings: Record<string, (stream: ReturnType<typeof connectStream>, connection: Socket) => void> = {
  'resets its stream': stream => { stream.close(CANCEL) },
  'resets it without an error': stream => { stream.close(0) },
  'ends it without a close frame': stream => { stream.end() },
  'loses its session': stream => { stream.session?.destroy() },
  'loses its connection': (_stream, connection) => { connection.destroy() }
}
for (const [name, leave] of Object.entries(leavings)) {
  t.test(`tells the end of a client that ${name}`, async t => {
    const codes: number[] = []
    const signals: AbortSignal[] = []
    const running = await start(t, { over: 'h2c' }, app => {
      app.get('/', { websocket: true }, (socket, { signal }) => {
        signals.push(signal)
        socket.on('close', code => { codes.push(code) })
      })
    })
    const connected = once(running.server, 'connection')
    const session = await openSession(t, running)
    const [connection] = await connected
    const stream = connectStream(session)
    await answerTo(stream)
    stream.resume()
    t.equal(signals[0]?.aborted, false)
    leave(stream, connection)

    await until(() => codes.length > 0, 'the close')
    t.same(codes, [1006])
    t.equal(signals[0]?.aborted, true)
    t.equal(running.app.websocketServer.clients.size, 0)
    t.same(running.log.filter(({ level }) => level > 30), [])
  })
}

t.test('logs as over HTTP/1.1: the request, and no response after hours', async t => {
  const messages: string[][] = []
  for (const over of ['tcp', 'h2c'] as const) {
    let responses = 0
    const aborted = deferred()
    const running = await start(t, { over }, app => {
      app.addHook('onResponse', async () => { responses++ })
      echo(app)
      app.get('/no', { websocket: true, onRequest: async (request, reply) => { await reply.code(401).send('no') } }, () => {})
      app.get('/left', { websocket: true, onRequest: async request => { await once(request.signal, 'abort').then(() => { aborted.resolve() }) } }, () => {})
    })
    const { socket, inbox } = await running.connect('/')
    socket.close()
    await inbox.closed
    t.equal(responses, 0)
    const refused = await running.raw()
    refused.upgrade('/no')
    await refused.readResponse()
    refused.fin()
    await running.logged('request completed')
    const left = await running.raw()
    left.upgrade('/left')
    await until(() => running.log.filter(({ msg }) => msg === 'incoming request').length === 3, 'the request')
    left.reset()
    await within(aborted.promise, 'the abort')
    await running.close()
    messages.push(running.log.filter(({ msg }) => !msg.startsWith('Server listening')).map(({ msg, level, ...rest }) => `${level} ${msg} ${Object.keys(rest)}`))
    t.equal(responses, 1)
  }

  t.same(messages[1], messages[0])
})

t.test('sends a refusal of 3 MB whole though its hook does not return the reply, and runs no handler', async t => {
  let calls = 0
  const running = await start(t, { over: 'h2' }, app => {
    app.addHook('preHandler', async (request, reply) => { reply.code(401).send(WHOLE) })
    app.get('/', { websocket: true }, () => { calls++ })
  })
  const { status, body } = await responseTo(connectStream(await openSession(t, running)))

  t.equal(status, 401)
  t.equal(body.length, WHOLE.length)
  t.equal(calls, 0)
})

t.test('does not delay a request beside a websocket that is stalled', async t => {
  let served: WebSocket | undefined
  const running = await start(t, { over: 'h2' }, app => {
    app.get('/', { websocket: true }, socket => { served = socket })
    app.get('/plain', async () => WHOLE)
  })
  const session = await openSession(t, running)
  const stream = connectStream(session)
  await answerTo(stream)
  for (let i = 0; i < 32; i++) served?.send(Buffer.alloc(1024 * 1024))
  t.ok(Number(served?.bufferedAmount) > 16 * 1024 * 1024)

  t.equal((await responseTo(session.request({ ':path': '/plain' }))).body.length, WHOLE.length)
  stream.resume()
  await until(() => served?.bufferedAmount === 0, 'the rest', 2 * LIMIT)
})

t.test('holds a client back whose websocket is paused, and no other stream', async t => {
  let served: WebSocket | undefined
  let size = 0
  const running = await start(t, { over: 'h2c' }, app => {
    app.get('/', { websocket: true }, socket => {
      served = socket
      socket.pause()
      socket.on('message', data => { size += (data as Buffer).length })
    })
    echo(app, '/echo')
  })
  const session = await openSession(t, running)
  const stream = connectStream(session)
  await answerTo(stream)
  stream.write(frame('binary', Buffer.alloc(1024 * 1024)))
  const other = connectStream(session, '/echo')
  const next = framesOf(other)
  other.write(frame('text', 'hello'))
  t.equal(String((await next()).payload), 'hello')
  t.equal(size, 0)
  t.equal(stream.state.localWindowSize !== undefined && stream.writableLength > 0, true, 'the rest waits at the client')
  served?.resume()

  await until(() => size === 1024 * 1024, 'all of it')
})

t.test('delivers what was sent before the answer, in order', async t => {
  const hook = deferred()
  const running = await start(t, { over: 'h2c' }, app => {
    app.addHook('preHandler', async () => { await hook.promise })
    echo(app)
  })
  const stream = connectStream(await openSession(t, running))
  for (const text of ['1', '2', '3']) stream.write(frame('text', text))
  await running.logged('incoming request')
  hook.resolve()
  const next = framesOf(stream)

  for (const text of ['1', '2', '3']) t.equal(String((await next()).payload), text)
})

t.test('cuts a stream that keeps its half open after a refusal', async t => {
  for (const body of ['no', new PassThrough()]) {
    const running = await start(t, { over: 'h2c' }, app => {
      app.addHook('onRequest', async (request, reply) => {
        await new Promise(setImmediate)
        await reply.code(403).send(body)
      })
      echo(app)
    })
    const session = await openSession(t, running)
    const stream = connectStream(session)
    stream.write(frame('text', 'early'))
    if (typeof body === 'object') body.end('no')
    await answerTo(stream)
    stream.resume()

    t.equal(await closed(stream), 0)
  }
})

t.test('waits for the client to read a refusal before it cuts the stream', async t => {
  const running = await start(t, { over: 'h2c', websocket: { handshakeTimeout: 2 * LIMIT } }, app => {
    app.addHook('onRequest', async (request, reply) => { await reply.code(403).send(WHOLE) })
    echo(app)
  })
  const session = await openSession(t, running)
  const stream = connectStream(session)
  await answerTo(stream)
  await new Promise(setImmediate)

  t.equal((await responseBody(stream)).length, WHOLE.length)
})

t.test('lets a hook, or an option, take the stream as it would a socket', async t => {
  const other = new WebSocketServer({ noServer: true })
  const running = await start(t, { over: 'h2c' }, app => {
    app.get('/', {
      websocket: {
        upgrade: (request: FastifyRequest, stream: ServerHttp2Stream, head: Buffer) => new Promise(resolve => {
          other.handleUpgrade(request.raw, stream, head, resolve)
        })
      } as object,
      onRequest: async () => { await new Promise(setImmediate) }
    }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
  })
  const stream = connectStream(await openSession(t, running))
  const next = framesOf(stream)
  stream.write(frame('text', 'hello'))

  t.equal(String((await next()).payload), 'hello')
})

t.test('leaves a stream that a hook reads to it', async t => {
  const running = await start(t, { over: 'h2c' }, app => {
    app.addHook('onRequest', async (request, reply) => {
      reply.hijack()
      await new Promise(setImmediate)
      const { stream } = request.raw as object as Http2ServerRequest
      stream.on('data', bytes => {
        stream.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
        stream.end(bytes)
      })
    })
    echo(app)
  })
  const stream = connectStream(await openSession(t, running))
  stream.write('bytes')

  t.match(await responseTo(stream), { status: 200, body: 'bytes' })
})

t.test('leaves a stream that an option took without a websocket', async t => {
  const running = await start(t, { over: 'h2c' }, app => {
    app.get('/', {
      websocket: {
        upgrade: (_request: FastifyRequest, stream: ServerHttp2Stream) => {
          stream.write('HTTP/1.1 101 Switching Protocols\r\n\r\nraw')
          stream.on('data', bytes => { stream.end(bytes) })
        }
      } as object
    }, () => {})
  })
  const stream = connectStream(await openSession(t, running))
  stream.write(' bytes')
  const response = await responseTo(stream)

  t.match(response, { status: 200, body: 'raw bytes' })
})

t.test('ends a stream with half an answer on it when the handshake fails', async t => {
  const verifyClient = (info: { req: unknown }, _answer: Parameters<VerifyClient>[1]): void => {
    (info.req as Http2ServerRequest).stream.write('HTTP/1.1 101 Swi')
    throw new Error('thrown')
  }
  const running = await start(t, { over: 'h2c', websocket: { options: { verifyClient } as object } }, echo)

  t.equal(await closed(connectStream(await openSession(t, running))), CANCEL)
})

t.test('lets nobody write into an answer of the plugin', async t => {
  const hook = deferred()
  const running = await start(t, { over: 'h2c', websocket: { handshakeTimeout: 20, options: { verifyClient: (_info: unknown, _answer: unknown) => {} } } }, app => {
    app.get('/', { websocket: true, preHandler: async (request, reply) => { hook.promise.then(() => reply.raw.end('late'), t.fail) } }, () => {})
  })
  const response = await responseTo(connectStream(await openSession(t, running)))
  hook.resolve()

  t.match(response, { status: 503, body: /FST_WS_HANDSHAKE_TIMEOUT/ })
})

t.test('does not take the limit of its handshake for one of the connection', async t => {
  const running = await start(t, { over: 'h2c', websocket: { handshakeTimeout: 50 } }, app => {
    app.addHook('onRequest', async (request, reply) => { if (request.url === '/no') await reply.code(403).send(WHOLE) })
    echo(app, '/*')
  })
  const session = await openSession(t, running)
  const open = connectStream(session, '/open')
  await answerTo(open)
  const stalled = connectStream(session, '/no')
  await answerTo(stalled)

  await until(() => stalled.destroyed, 'the cut')
  const next = framesOf(open)
  open.write(frame('text', 'hello'))
  t.equal(String((await next()).payload), 'hello')
})

async function responseBody (stream: ReturnType<typeof connectStream>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer)
    await new Promise(setImmediate)
  }
  return Buffer.concat(chunks)
}
