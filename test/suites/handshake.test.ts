// Whatever the application's part in the handshake does, the client gets a whole answer and the server keeps nothing.
import t from 'tap'
import type { Socket } from 'node:net'
import type { VerifyClient, WebsocketPluginOptions } from '../../types'
import { start, ALL_TRANSPORTS, type Declare } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { assertRefusal, type RefusalOptions } from '../helpers/refusal'
import { connectBy, isInMemory, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

type Answer = Parameters<VerifyClient>[1]
type Part = [refusal: RefusalOptions, websocket: WebsocketPluginOptions, declare?: Declare]

const failed: RefusalOptions = { status: 500, body: /"FST_WS_HANDSHAKE_FAILED"/ }
const silent: RefusalOptions = { status: 503, body: /"FST_WS_HANDSHAKE_TIMEOUT"/ }
const wrongKey = { 'Sec-WebSocket-Key': 'short' }
const protocol = { 'Sec-WebSocket-Protocol': 'one' }

const parts: Record<string, Part> = {
  'a verifyClient that refuses': [{ status: 401, body: 'Unauthorized' }, { options: { verifyClient: () => false } }],
  'a verifyClient that refuses by its promise': [{ status: 401, body: 'Unauthorized' }, { options: { verifyClient: async () => false } }],
  'a verifyClient that refuses by its callback': [
    { status: 403, body: (body, { headers }) => { if (body !== 'no entry' || headers['x-why'] !== 'test') throw new Error(body) } },
    { options: { verifyClient: (_info: unknown, answer: Answer) => { setImmediate(answer, false, 403, 'no entry', { 'X-Why': 'test' }) } } }
  ],
  'a verifyClient that throws': [failed, { options: { verifyClient: () => { throw new Error('thrown') } } }],
  'a verifyClient that rejects': [failed, { options: { verifyClient: async () => { throw new Error('rejected') } } }],
  'a verifyClient that never answers': [silent, { handshakeTimeout: 100, options: { verifyClient: (_info: unknown, _answer: Answer) => {} } }],
  'a handleProtocols that throws': [{ ...failed, headers: protocol }, { options: { handleProtocols: () => { throw new Error('thrown') } } }],
  "a 'headers' listener that throws": [failed, {}, app => { app.websocketServer.on('headers', () => { throw new Error('thrown') }) }],
  "a 'wsClientError' listener that answers": [{ status: 418, headers: wrongKey }, {}, app => {
    app.websocketServer.on('wsClientError', (_error: Error, rawSocket: Socket) => {
      rawSocket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    })
  }],
  "a 'wsClientError' listener that never answers": [{ ...silent, headers: wrongKey }, { handshakeTimeout: 100 }, app => {
    app.websocketServer.on('wsClientError', () => {})
  }],
  'a reply header that must not be sent': [failed, {}, app => {
    app.addHook('onRequest', async (_request, reply) => { reply.header('x-forged', 'a\r\nSet-Cookie: admin=1') })
  }],
  'ws, which finds the handshake wrong': [{ status: 400, headers: wrongKey }, {}]
}

for (const over of ALL_TRANSPORTS) {
  for (const [name, [refusal, websocket, declare = () => {}]] of Object.entries(parts)) {
    t.test(`refuses by ${name}, over ${over}`, async t => {
      const running = await start(t, { over, websocket }, async app => {
        await declare(app)
        app.get('/', { websocket: true }, () => { t.fail('the handler runs') })
      })

      await assertRefusal(t, running, refusal)
    })
  }

  for (const way of ['fin', 'reset'] as const) {
    t.test(`tells the request of a client that leaves by ${way} while a hook runs, and runs no handler, over ${over}`, async t => {
      const hooked = deferred<AbortSignal>()
      const aborted = deferred()
      const released = deferred()
      const running = await start(t, { over }, app => {
        app.addHook('onRequestAbort', async _request => { aborted.resolve() })
        app.addHook('preHandler', async ({ signal }) => {
          hooked.resolve(signal)
          await released.promise
        })
        app.get('/', { websocket: true }, () => { t.fail('the handler runs') })
      })
      const client = await running.raw()
      client.upgrade('/')
      const signal = await within(hooked.promise, 'the hook')

      client[way]()

      await within(aborted.promise, 'onRequestAbort')
      await until(() => signal.aborted, 'the signal')
      await assertServerHoldsNothing(t, running.server)
      released.resolve()
      await t.resolves(within(running.app.close(), 'app.close()'))
    })
  }
}

for (const way of WAYS) {
  t.test(`tells the request of a client that is terminated while a hook runs, over ${way}`, async t => {
    const hooked = deferred()
    const aborted = deferred()
    const released = deferred()
    const running = await start(t, { over: transportOf(way) }, app => {
      app.addHook('onRequestAbort', async _request => { aborted.resolve() })
      app.addHook('preHandler', async () => {
        hooked.resolve()
        await released.promise
      })
      app.get('/', { websocket: true }, () => { t.fail('the handler runs') })
    })
    if (isInMemory(way)) {
      const opened = running.app.injectWS('/', {}, { http2: way !== 'injectWS', onInit (client) { hooked.promise.then(() => client.terminate(), t.fail) } })
      await t.rejects(within(opened, 'injectWS'), { code: 'FST_WS_INJECT_FAILED' })
    } else {
      const { socket } = running.dial()
      await within(hooked.promise, 'the hook')
      socket.terminate()
    }

    await within(aborted.promise, 'onRequestAbort')
    released.resolve()
    await t.resolves(within(running.app.close(), 'app.close()'))
  })

  t.test(`lets a client in that verifyClient takes its time for, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { options: { verifyClient: async () => { await null; return true } } } }, app => {
      app.get('/', { websocket: true }, socket => { socket.send('hello') })
    })

    const { inbox } = await connectBy(t, way, running)

    t.equal(String(await inbox.next()), 'hello')
  })
}
