import Fastify, { type FastifyRequest } from 'fastify'
import t from 'tap'
import websocket from '../../src'
import plugin, { memory, pubsub } from '../../src/pubsub'
import { Bus } from '../helpers/bus'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { connectPair, startPubSub } from '../helpers/pubsub'

checkLeaksAtEnd(t)

t.test('is one function under three names, and brings the engine of the process', async t => {
  t.equal(require('../../src/pubsub'), plugin)
  t.equal(require('../../src/pubsub').default, plugin)
  t.equal(require('../../src/pubsub').pubsub, pubsub)
  t.equal(require('../../src/pubsub').memory, memory)
})

t.test('needs the websockets, on the same instance or above', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => { await app.register(pubsub) }, { code: 'FST_WS_PUBSUB_NO_WEBSOCKET' })
})

t.test('refuses options that make no sense, and an engine that is not there', async t => {
  for (const [options, code] of [[{ maxPayload: 0 }, 'FST_WS_INVALID_OPTION'], [{ engine: Object.assign(new Bus().engine(), { start: async () => { throw new Error('absent') } }) }, undefined]] as const) {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(websocket)
    await t.rejects(async () => { await app.register(pubsub, options as object) }, code === undefined ? { message: 'absent' } : { code })
  }
})

t.test('keeps a request only where onSubscribe is there to see it', async t => {
  for (const onSubscribe of [undefined, (_socket: unknown, _topic: string, request: FastifyRequest) => request.url === '/']) {
    const running = await startPubSub(t, { pubsub: { onSubscribe } })
    t.equal(running.app.websocketServer.listenerCount('connection'), onSubscribe === undefined ? 0 : 1)
    const { served } = await connectPair(t, running)
    await served.subscribe('a')
  }
})

t.test('what is published while the application closes still goes out, to other nodes too', async t => {
  const bus = new Bus()
  const [one, two] = [bus.engine(), bus.engine()]
  const heard: string[] = []
  const left = await startPubSub(t, { websocket: { shutdown: { timeout: 50 } }, pubsub: { engine: one } }, app => {
    app.get('/leave', { websocket: true }, socket => { socket.on('close', () => { app.pubsub.publish('a', 'left') }) })
  })
  const other = await startPubSub(t, { pubsub: { engine: two } })
  const came = new Promise<void>(resolve => { other.app.pubsub.on('a', message => { resolve(heard.push(String(message)) as never) }) })
  const pair = await connectPair(t, left, { path: '/leave' })
  pair.socket.pause()
  await left.close()
  await came
  t.same(heard, ['left'])
  await t.rejects(left.app.pubsub.publish('a', 'x'), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /it is closed/ })
})
