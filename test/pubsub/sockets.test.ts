import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import pubsub from '../../src/pubsub'
import { memberOf } from '../../src/pubsub/member'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { connectPair, startPubSub } from '../helpers/pubsub'
import { connectBy, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

for (const way of WAYS) {
  t.test(`sockets subscribe and unsubscribe, over ${way}`, async t => {
    const running = await startPubSub(t, { over: transportOf(way) })
    const { pubsub } = running.app
    const { served, inbox } = await connectPair(t, running, { way })
    t.same(served.topics, [])
    served.unsubscribe('a')
    t.same(await served.subscribe('a'), { replayed: 0, gap: false })
    await served.subscribe('b')
    await served.subscribe('a')
    t.same(served.topics, ['a', 'b'])
    t.same(pubsub.sockets('a'), [served])
    await pubsub.publish('a', '1')
    served.unsubscribe('a')
    served.unsubscribe('a')
    await pubsub.publish('a', 'nobody')
    await pubsub.publish('b', '2')
    t.same([String(await inbox.next()), String(await inbox.next())], ['1', '2'])
    t.same(served.topics, ['b'])
    served.close()
    await inbox.closed
    await until(() => pubsub.stats.topics === 0, 'the end')
    t.same(served.topics, [])
  })
}

t.test('a class of the application keeps its own, and what ws lets through', async t => {
  class Named extends WebSocket { label = 'mine' }
  const running = await startPubSub(t, { websocket: { options: { WebSocket: Named } } })
  const { served, inbox } = await connectPair(t, running)
  t.ok(served instanceof Named)
  t.equal((served as object as Named).label, 'mine')
  await served.subscribe('a')
  await running.app.pubsub.publish('a', 'x')
  t.equal(String(await inbox.next()), 'x')
  t.throws(() => { new Named('ws://127.0.0.1:1').on('error', () => {}).send('x') }, /CONNECTING/)
})

t.test('a socket that never subscribes has nothing of it on it', async t => {
  const running = await startPubSub(t)
  const { served, inbox } = await connectPair(t, running)
  served.send('x')
  await inbox.next()
  t.equal(served.listenerCount('close'), 1, 'that of ws')
  t.same(Object.getOwnPropertySymbols(served).filter(symbol => /fastify-wss\.member/.test(String(symbol))), [])
})

t.test('knows the sockets of its hub', async t => {
  const [running, other] = [await startPubSub(t), await startPubSub(t)]
  const [mine, theirs] = [await connectPair(t, running), await connectPair(t, other)]
  const { pubsub: hub } = running.app
  t.equal(memberOf(mine.served, hub as never), undefined)
  await mine.served.subscribe('a')
  t.equal(memberOf(mine.served, hub as never)?.socket, mine.served as never)
  for (const stranger of [theirs.served, mine.socket, {}, null, undefined, 'x']) t.equal(memberOf(stranger, hub as never), null)
})

t.test('a socket that the route made itself is one of them, where it is of the class of the server', async t => {
  const running = await startPubSub(t, {}, app => {
    app.get('/own', {
      websocket: {
        async upgrade (request, stream, head) {
          return await new Promise<WebSocket>(resolve => { app.websocketServer.handleUpgrade(request.raw, stream, head, socket => { resolve(socket) }) })
        }
      }
    }, async socket => { await socket.subscribe('a') })
  })
  const connected = once(running.app.websocketServer, 'connection')
  const { inbox } = await connectBy(t, 'tcp', running, '/own')
  await connected
  await until(() => running.app.pubsub.count('a') === 1, 'the subscription')
  await running.app.pubsub.publish('a', 'x')
  t.equal(String(await inbox.next()), 'x')
})

t.test('needs the websockets', async t => {
  const running = await startPubSub(t, { websocket: false }, () => {}).catch(error => error)
  t.equal(running.code, 'FST_WS_PUBSUB_NO_WEBSOCKET')
  t.type(pubsub, 'function')
})

t.test('what the application sends is told to the hub where it has to wait for it, and comes back as it would', async t => {
  const running = await startPubSub(t, { websocket: { options: { perMessageDeflate: { threshold: 0 } } } })
  const { served, inbox } = await connectPair(t, running, { perMessageDeflate: true })
  served.send('a', { fin: false })
  await served.subscribe('a')
  await running.app.pubsub.publish('a', '1')
  served.send('b')
  const back: unknown[] = []
  const empty = [undefined, null, '', new Blob([]), Buffer.alloc(0), new ArrayBuffer(0)]
  for (const data of empty) served.send(data as never, error => { back.push(error) })
  served.send('', { binary: true })
  served.send(new DataView(new ArrayBuffer(1)) as never, { binary: true }, () => { back.push('view') })
  await running.app.pubsub.publish('a', '2')
  const got: string[] = []
  for (let i = 0; i < 11; i++) got.push(String(await inbox.next()))
  t.same(got, ['ab', '1', '', '', '', '', '', '', '', '\0', '2'])
  await until(() => back.length === 7, 'the callbacks')
  t.same(back.filter(error => error != null && error !== 'view'), [])
  served.terminate()
  served.send('', error => { back.push(error?.message) })
  await until(() => back.length === 8, 'the callback')
  t.match(back[7], /WebSocket is not open/)
})

t.test('pings and pongs go out as ever', async t => {
  const running = await startPubSub(t)
  const { socket, served } = await connectPair(t, running)
  const told: string[] = []
  socket.on('ping', data => { told.push(`ping ${data}`) })
  socket.on('pong', data => { told.push(`pong ${data}`) })
  t.equal(served.bufferedAmount, 0)
  served.ping('a')
  await served.subscribe('a')
  served.ping('b', false)
  served.pong('c')
  await until(() => told.length === 3, 'all of them')
  t.same(told, ['ping a', 'ping b', 'pong c'])
})
