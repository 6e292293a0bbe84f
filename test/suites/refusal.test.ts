// A refused upgrade: the whole answer reaches the client, and the server keeps nothing, whoever refused and when.
import t from 'tap'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import websocket from '../../src'
import { ALL_TRANSPORTS, type Declare, type Running, start, type StartOptions, TRANSPORTS } from '../helpers/app'
import { assertServerHoldsNothing, checkLeaksAtEnd, countConnections } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { frame, type RawClient } from '../helpers/raw-client'
import { assertRefusal, type RefusalOptions } from '../helpers/refusal'

checkLeaksAtEnd(t)

const SIZE = 5 * 1024 * 1024
const WHOLE = Buffer.alloc(SIZE, 'whole ')

interface Case {
  name: string;
  declare: Declare;
  refusal: RefusalOptions;
  options?: StartOptions;
}

const cases: Case[] = [
  {
    name: 'by an onRequest hook that replies',
    declare: app => {
      app.addHook('onRequest', async (request, reply) => { await reply.code(401).header('x-hook', 'yes').send({ reason: 'who are you' }) })
      websocketRoute(app)
    },
    refusal: { status: 401, body: '{"reason":"who are you"}' }
  },
  {
    name: 'by a preHandler hook that replies later',
    declare: app => {
      app.addHook('preHandler', (request, reply) => { setImmediate(() => reply.code(403).send('no')) })
      websocketRoute(app)
    },
    refusal: { status: 403, body: 'no' }
  },
  {
    name: 'by a hook that throws',
    declare: app => {
      app.addHook('preValidation', async () => { throw new Error('thrown by a hook') })
      websocketRoute(app)
    },
    refusal: { status: 500, body: /"thrown by a hook"/ }
  },
  {
    name: 'by a hook that asks to keep the connection',
    declare: app => {
      app.addHook('onRequest', async (request, reply) => { await reply.code(401).header('connection', 'keep-alive').send('no') })
      websocketRoute(app)
    },
    refusal: { status: 401, body: 'no' }
  },
  {
    name: 'by a hook that writes to the raw response',
    declare: app => {
      app.addHook('onRequest', async (request, reply) => {
        reply.hijack()
        reply.raw.writeHead(402, 'Pay First', { Connection: 'keep-alive', 'Content-Length': 3 })
        reply.raw.end('pay')
      })
      websocketRoute(app)
    },
    refusal: { status: 402, body: 'pay' }
  },
  {
    name: 'by an error handler of the application',
    declare: app => {
      app.setErrorHandler(async (error, request, reply) => await reply.code(418).send(`handled: ${(error as Error).message}`))
      app.addHook('onRequest', async () => { throw new Error('thrown by a hook') })
      websocketRoute(app)
    },
    refusal: { status: 418, body: 'handled: thrown by a hook' }
  },
  {
    name: 'with 404 where no route matches',
    declare: () => {},
    refusal: { path: '/nowhere', status: 404, body: /Route GET:\/nowhere not found/ }
  },
  {
    name: 'by a not-found handler of the application',
    declare: app => { app.setNotFoundHandler(async (request, reply) => await reply.code(404).send(`nothing at ${request.url}`)) },
    refusal: { path: '/nowhere', status: 404, body: 'nothing at /nowhere' }
  },
  {
    name: 'with 400 for bad percent-encoding',
    declare: app => websocketRoute(app, '/:name'),
    refusal: { path: '/%E0%A4%A', status: 400, body: /FST_ERR_BAD_URL/ }
  },
  {
    name: 'with 414 for a parameter that is too long',
    declare: app => websocketRoute(app, '/:name'),
    options: { fastify: { routerOptions: { maxParamLength: 10 } } },
    refusal: { path: '/' + 'x'.repeat(11), status: 414, body: /FST_ERR_MAX_PARAM_LENGTH/ }
  },
  {
    name: 'by frameworkErrors of the application',
    declare: app => websocketRoute(app, '/:name'),
    options: { fastify: { frameworkErrors: answerFrameworkError } },
    refusal: { path: '/%E0%A4%A', status: 400, body: 'framework: FST_ERR_BAD_URL' }
  },
  {
    name: 'with 404 for a constraint that does not hold',
    declare: app => { app.get('/', { websocket: true, constraints: { host: 'other.example' } }, () => {}) },
    refusal: { status: 404 }
  },
  {
    name: 'with 400 for a query that fails its schema',
    declare: app => {
      const querystring = { type: 'object', required: ['token'], properties: { token: { type: 'string' } } }
      app.get('/', { websocket: true, schema: { querystring } }, () => {})
    },
    refusal: { status: 400, body: /must have required property 'token'/ }
  },
  {
    name: 'by a hook that was added before the plugin was registered',
    options: { websocket: false },
    declare: async app => {
      app.addHook('onRequest', async (request, reply) => { if (request.ws) await reply.code(401).send('early hook') })
      await app.register(websocket)
      websocketRoute(app)
    },
    refusal: { status: 401, body: 'early hook' }
  },
  {
    name: 'by a route outside the scope that has the plugin',
    options: { websocket: false },
    declare: async app => {
      await app.register(async scope => {
        await scope.register(websocket)
        websocketRoute(scope, '/inside')
      })
      app.get('/outside', async () => 'plain')
    },
    refusal: { path: '/outside', status: 200, body: 'plain' }
  },
  {
    name: 'although an onResponse hook throws',
    declare: app => {
      app.addHook('onResponse', async () => { throw new Error('thrown by onResponse') })
      app.addHook('onRequest', async (request, reply) => { await reply.code(401).send('no') })
      websocketRoute(app)
    },
    refusal: { status: 401, body: 'no' }
  },
  {
    name: 'by a stream',
    declare: app => {
      app.addHook('onRequest', async (request, reply) => { await reply.code(403).send(Readable.from(['one ', 'two ', 'three'])) })
      websocketRoute(app)
    },
    refusal: { status: 403, body: 'one two three' }
  },
  {
    name: 'by an answer without a body',
    declare: app => {
      app.addHook('onRequest', async (request, reply) => { await reply.code(204).send() })
      websocketRoute(app)
    },
    refusal: { status: 204, body: '' }
  },
  {
    name: 'by a verifyClient that returns false',
    options: { websocket: { options: { verifyClient: () => false } } },
    declare: app => websocketRoute(app),
    refusal: { status: 401, body: 'Unauthorized' }
  },
  {
    name: 'by a verifyClient that throws',
    options: { websocket: { options: { verifyClient: () => { throw new Error('thrown by verifyClient') } } } },
    declare: app => websocketRoute(app),
    refusal: { status: 500, body: /FST_WS_HANDSHAKE_FAILED/ }
  },
  {
    name: 'by a handleProtocols that throws',
    options: { websocket: { options: { handleProtocols: () => { throw new Error('thrown by handleProtocols') } } } },
    declare: app => websocketRoute(app),
    refusal: { headers: { 'Sec-WebSocket-Protocol': 'a' }, status: 500, body: /FST_WS_HANDSHAKE_FAILED/ }
  },
  {
    name: 'by ws, for a key that is none',
    declare: app => websocketRoute(app),
    refusal: { headers: { 'Sec-WebSocket-Key': 'short' }, status: 400, body: /Sec-WebSocket-Key/ }
  }
]

for (const over of ALL_TRANSPORTS) {
  t.test(`over ${over}`, async t => {
    t.test('answers in full, says that the connection ends and frees the socket of an upgrade refused', async t => {
      for (const { name, declare, refusal, options } of cases) {
        t.test(name, async t => {
          const running = await start(t, { ...options, over }, declare)
          await assertRefusal(t, running, refusal)
        })
      }
    })

    t.test('sends the headers that a hook set along with its refusal', async t => {
      const running = await start(t, { over }, app => {
        app.addHook('onRequest', async (request, reply) => {
          reply.header('set-cookie', ['a=1', 'b=2'])
          await reply.code(401).header('www-authenticate', 'Basic').send('no')
        })
        websocketRoute(app)
      })
      const [response] = await assertRefusal(t, running, { status: 401, body: 'no' })

      t.equal(response?.headers['www-authenticate'], 'Basic')
      t.same(response?.rawHeaders.filter(([name]) => name === 'set-cookie').map(([, value]) => value), ['a=1', 'b=2'])
    })

    t.test('frees the socket of a refused client that never leaves', async t => {
      const running = await start(t, { over }, refuseWith(() => 'no'))
      await assertRefusal(t, running, { status: 403, body: 'no', leave: ['never'] })
    })

    for (const kind of ['Buffer', 'stream'] as const) {
      t.test(`delivers a refusal of 5 MB, sent as a ${kind}, to a client that reads it slowly`, async t => {
        const running = await start(t, { over }, refuseWith(() => kind === 'Buffer' ? WHOLE : inPieces(WHOLE)))

        for (const isEarly of [false, true]) {
          const client = await running.raw()
          client.upgrade('/')
          if (isEarly) client.write(frame('binary', Buffer.alloc(256 * 1024)))
          const response = client.readResponse({ limit: 2 * LIMIT })
          readSlowly(client.socket)

          t.equal((await response).bytes.equals(WHOLE), true)
          client.fin()
        }
        await assertServerHoldsNothing(t, running.server)
      })

      t.test(`cuts a client that never reads a refusal of 5 MB, sent as a ${kind}, after the handshake limit`, async t => {
        const running = await start(t, { over, websocket: { handshakeTimeout: 100 } }, refuseWith(() => kind === 'Buffer' ? WHOLE : inPieces(WHOLE)))
        const clients = [await running.raw(), await running.raw()]
        for (const client of clients) client.pause().upgrade('/')

        await until(async () => await countConnections(running.server) === 2, 'two connections')
        await assertServerHoldsNothing(t, running.server)
        await t.resolves(within(running.app.close(), 'app.close()'))
      })
    }

    t.test('serves a proper client after many refused ones', async t => {
      const running = await start(t, { over }, app => {
        websocketRoute(app, '/echo')
        app.get('/no', { websocket: true, onRequest: async (request, reply) => { await reply.code(401).send('no') } }, () => {})
      })
      await assertRefusal(t, running, { path: '/no', status: 401, clients: 40, close: false })
      const { socket, inbox } = await running.connect('/echo')
      socket.send('hello')

      t.equal(String(await inbox.next()), 'hello')
    })

    t.test('tells the request that the client left', async t => {
      for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
        for (const leave of ['fin', 'reset', 'destroy'] as const) {
          t.test(`by ${leave} during ${hook}, and never runs the handler`, async t => {
            const seen: string[] = []
            const running = await start(t, { over }, app => {
              app.addHook('onRequestAbort', async request => { seen.push(`onRequestAbort of ${request.url}`) })
              app.addHook(hook, async (request: { signal: AbortSignal }) => {
                if (!request.signal.aborted) {
                  app.server.emit('in hook')
                  await once(request.signal, 'abort')
                }
                seen.push('signal')
              })
              app.get('/', { websocket: true }, () => { seen.push('handler') })
            })
            const client = await running.raw()
            const inHook = once(running.server, 'in hook')
            client.upgrade('/')
            await within(inHook, 'the hook')
            client[leave]()

            await assertServerHoldsNothing(t, running.server)
            await t.resolves(within(running.app.close(), 'app.close()'))
            t.same(seen.sort(), ['onRequestAbort of /', 'signal'])
          })
        }
      }
    })

    t.test('lives through a reset before, during and after the hooks', async t => {
      const running = await start(t, { over }, app => {
        app.addHook('onRequest', async request => {
          if (request.url === '/waits') await new Promise(resolve => setTimeout(resolve, 5))
        })
        websocketRoute(app, '/echo')
        app.get('/waits', { websocket: true }, () => {})
        app.get('/no', { websocket: true, onRequest: async (request, reply) => { await reply.code(401).send(WHOLE) } }, () => {})
      })
      for (let i = 0; i < 64; i++) {
        const client = await connected(running)
        client.upgrade(['/waits', '/no', '/nowhere', '/echo'][(i >> 1) % 4] ?? '/')
        // Node crashes where a TLS client is cut in the tick of its write, so there is a turn in between.
        if (i % 2 === 0) await once(client.socket, 'data')
        else await new Promise(setImmediate)
        client.reset()
      }

      await assertServerHoldsNothing(t, running.server)
      const { socket, inbox } = await running.connect('/echo')
      socket.send('hello')
      t.equal(String(await inbox.next()), 'hello')
    })
  })
}

// Streams of HTTP/2 wait for no other.
for (const over of TRANSPORTS) {
  t.test(`answers an upgrade behind unanswered requests in its turn, over ${over}`, async t => {
    t.test('and opens it once every earlier response is out', async t => {
      const running = await start(t, { over }, pipelined)
      const client = await running.raw()
      client.request('GET', '/slow').request('GET', '/slow').upgrade('/echo').write(frame('text', 'early'))

      t.match(await client.readResponse(), { status: 200, body: 'slow' })
      t.match(await client.readResponse(), { status: 200, body: 'slow' })
      t.equal((await client.readResponse()).status, 101)
      t.equal(String((await client.readFrame()).payload), 'early')
      client.write(frame('text', 'hello'))
      t.equal(String((await client.readFrame()).payload), 'hello')
    })

    for (const path of ['/stream', '/large']) {
      t.test(`and opens it behind two responses of 5 MB from ${path}, which arrive whole`, async t => {
        const running = await start(t, { over }, pipelined)
        const client = await running.raw()
        client.request('GET', path).request('GET', path).upgrade('/echo')

        t.equal((await client.readResponse({ limit: 2 * LIMIT })).bytes.equals(WHOLE), true)
        t.equal((await client.readResponse({ limit: 2 * LIMIT })).bytes.equals(WHOLE), true)
        t.equal((await client.readResponse()).status, 101)
        client.write(frame('text', 'hello'))
        t.equal(String((await client.readFrame()).payload), 'hello')
      })
    }

    t.test('and refuses it behind a response of 5 MB, which arrives whole', async t => {
      const running = await start(t, { over }, pipelined)
      const client = await running.raw()
      client.request('GET', '/stream').request('GET', '/slow').upgrade('/refused')

      t.equal((await client.readResponse({ limit: 2 * LIMIT })).bytes.equals(WHOLE), true)
      t.equal((await client.readResponse()).body, 'slow')
      t.match(await client.readResponse(), { status: 401, body: 'refused', headers: { connection: 'close' } })
      client.fin()
      await assertServerHoldsNothing(t, running.server)
    })

    t.test('and not at all when the earlier response ends the connection', async t => {
      const running = await start(t, { over }, app => {
        pipelined(app)
        app.get('/last', async (request, reply) => await reply.header('connection', 'close').send('last'))
      })
      const client = await running.raw()
      client.request('GET', '/last').upgrade('/echo')

      t.equal((await client.readResponse()).body, 'last')
      t.equal((await client.readUntilClose()).length, 0)
      await assertServerHoldsNothing(t, running.server)
    })

    t.test('and drops it when the client resets the connection before that', async t => {
      const running = await start(t, { over }, pipelined)
      const client = await running.raw()
      const started = once(running.server, 'never')
      client.request('GET', '/never').upgrade('/echo')
      await within(started, 'the request')
      client.reset()

      await assertServerHoldsNothing(t, running.server)
    })
  })
}

// Also the server's side of TLS is done: until then Node alone answers for the connection.
async function connected (running: Running): Promise<RawClient> {
  const isAccepted = once(running.server, running.secure ? 'secureConnection' : 'connection')
  const client = await running.raw()
  await within(isAccepted, 'the connection')
  return client
}

function websocketRoute (app: FastifyInstance, path = '/'): void {
  app.get(path, { websocket: true }, socket => { socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) }) })
}

function answerFrameworkError (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.code(400).send(`framework: ${error.code}`)
}

function refuseWith (body: () => unknown): Declare {
  return app => {
    app.addHook('onRequest', async (request, reply) => { await reply.code(403).send(body()) })
    websocketRoute(app)
  }
}

function pipelined (app: FastifyInstance): void {
  app.get('/slow', async () => {
    await new Promise(resolve => setTimeout(resolve, 20))
    return 'slow'
  })
  app.get('/stream', async (request, reply) => await reply.send(inPieces(WHOLE)))
  app.get('/large', async () => WHOLE)
  app.get('/never', () => { app.server.emit('never') })
  app.get('/refused', { websocket: true, onRequest: async (request, reply) => { await reply.code(401).send('refused') } }, () => {})
  websocketRoute(app, '/echo')
}

function inPieces (whole: Buffer): Readable {
  const piece = 50_000
  return Readable.from((function * () {
    for (let start = 0; start < whole.length; start += piece) yield whole.subarray(start, start + piece)
  })())
}

// A pause after each packet, so that the server has to wait for the client again and again.
function readSlowly (socket: Socket): void {
  socket.on('data', () => {
    socket.pause()
    setTimeout(() => { socket.resume() }, 1)
  })
}
