// The application that the properties attack: one route for each thing that applications do with a websocket.
import { on, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { createWebSocketStream, type WebSocket } from 'ws'
import type { StartOptions } from '../helpers/app'

/** Milliseconds that a slow hook or handler takes: long enough for a client to leave meanwhile. */
const SLOW = 8

export const MAX_PAYLOAD = 128 * 1024

/** Routes that echo every message, each with a listener that comes at another time or in another way. */
export const ECHOES = ['/echo', '/async', '/once', '/events', '/property', '/hook/delays', '/verify/late', '/both']

/** Routes whose connection ends in its own way, or not at all. */
export const ENDINGS = ['/deaf', '/never', '/throws', '/rejects', '/closes', '/terminates', '/floods', '/stream']

/** Paths that are refused, or no websocket routes. */
export const OTHERS = [
  '/', '/nowhere', '/plain', '/slow', '/upload', '/params/1', '/regex/12', '/regex/x', '/wild/a/b', '/schema?n=1', '/schema',
  '/hook/replies', '/hook/throws', '/hook/fails-late', '/hook/response', '/hook/large',
  '/verify/no', '/verify/rejects', '/verify/throws', '/verify/silent'
]

export const options: StartOptions = {
  logLevel: 'silent',
  websocket: {
    options: { maxPayload: MAX_PAYLOAD, perMessageDeflate: true, verifyClient },
    handshakeTimeout: 100,
    shutdown: { timeout: 200 }
  }
}

/** As `options`, with an errorHandler that fails in its turn. */
export const failing: StartOptions = {
  ...options,
  websocket: {
    ...options.websocket,
    errorHandler (error) {
      if (error.message.length % 2 === 0) throw new Error('thrown by the errorHandler')
      return Promise.reject(new Error('rejected by the errorHandler'))
    }
  }
}

export function declare (app: FastifyInstance): void {
  app.addContentTypeParser('*', (request, payload, done) => {
    payload.resume().on('end', () => { done(null) }).on('error', done)
  })
  declareEchoes(app)
  declareEndings(app)
  declarePlain(app)
  declareHooked(app)
}

function declareEchoes (app: FastifyInstance): void {
  app.get('/echo', { websocket: true }, echo)
  app.get('/verify/:how', { websocket: true }, echo)
  app.get('/params/:id', { websocket: true }, echo)
  app.get('/regex/:n(^\\d+$)', { websocket: true }, echo)
  app.get('/wild/*', { websocket: true }, echo)
  app.get('/hosted', { websocket: true, constraints: { host: 'other.example' } }, echo)
  app.get('/schema', { websocket: true, schema: { querystring: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } } } }, echo)
  app.route({ method: 'GET', url: '/both', handler: async () => 'plain', wsHandler: echo })
  app.get('/async', { websocket: true }, async socket => {
    await sleep(SLOW)
    echo(socket)
  })
  app.get('/once', { websocket: true }, async socket => {
    const signal = closing(socket)
    await sleep(SLOW)
    while (!signal.aborted) {
      const [data, isBinary] = await once(socket, 'message', { signal })
      socket.send(data, { binary: isBinary })
    }
  })
  app.get('/events', { websocket: true }, async socket => {
    const signal = closing(socket)
    await sleep(SLOW)
    for await (const [data, isBinary] of on(socket, 'message', { signal })) socket.send(data, { binary: isBinary })
  })
  app.get('/property', { websocket: true }, async socket => {
    await sleep(SLOW)
    socket.onmessage = ({ data }) => { socket.send(data as string | Buffer) }
  })
}

function declareEndings (app: FastifyInstance): void {
  app.get('/deaf', { websocket: true }, () => {})
  app.get('/never', { websocket: true }, () => new Promise<void>(() => {}))
  app.get('/throws', { websocket: true }, () => { throw new Error('thrown by the handler') })
  app.get('/rejects', { websocket: true }, async () => {
    await sleep(SLOW)
    throw new Error('rejected by the handler')
  })
  app.get('/closes', { websocket: true }, socket => { socket.close(4000, 'enough') })
  app.get('/terminates', { websocket: true }, socket => { socket.on('message', () => { socket.terminate() }) })
  app.get('/floods', { websocket: true }, socket => {
    for (let i = 0; i < 8; i++) socket.send(Buffer.alloc(100_000, i))
  })
  app.get('/stream', { websocket: true }, socket => {
    const stream = createWebSocketStream(socket)
    stream.on('error', () => {})
    stream.pipe(stream)
  })
}

function declarePlain (app: FastifyInstance): void {
  app.get('/plain', async () => 'plain')
  app.post('/upload', async () => 'uploaded')
  app.get('/slow', async () => {
    await sleep(SLOW)
    return 'slow'
  })
}

function declareHooked (app: FastifyInstance): void {
  app.register(async scope => {
    scope.get('/delays', { websocket: true, onRequest: async () => { await sleep(SLOW) }, preHandler: async () => { await sleep(SLOW) } }, echo)
    scope.get('/replies', { websocket: true, onRequest: async (request, reply) => { await reply.code(401).send('no') } }, echo)
    scope.get('/throws', { websocket: true, preValidation: async () => { throw new Error('thrown by a hook') } }, echo)
    scope.get('/response', { websocket: true, onRequest: async (request, reply) => { await reply.send('no') }, onResponse: async () => { throw new Error('thrown late') } }, echo)
    scope.get('/large', { websocket: true, onRequest: async (request, reply) => { await reply.code(403).send(Buffer.alloc(300_000)) } }, echo)
    scope.get('/fails-late', {
      websocket: true,
      preHandler: async () => {
        await sleep(SLOW)
        throw new Error('thrown late by a hook')
      }
    }, echo)
  }, { prefix: '/hook' })
}

function echo (socket: WebSocket): void {
  socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
}

function closing (socket: WebSocket): AbortSignal {
  const controller = new AbortController()
  socket.once('close', () => { controller.abort() })
  return controller.signal
}

function verifyClient ({ req: { url } }: { req: { url?: string } }): boolean | Promise<boolean> {
  const verdicts: Record<string, () => boolean | Promise<boolean>> = {
    '/verify/late': async () => await sleep(SLOW, true),
    '/verify/no': async () => await sleep(SLOW, false),
    '/verify/rejects': async () => { throw new Error('rejected by verifyClient') },
    '/verify/throws': () => { throw new Error('thrown by verifyClient') },
    '/verify/silent': async () => await new Promise(() => {})
  }
  return verdicts[url ?? '']?.() ?? true
}
