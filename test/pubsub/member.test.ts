// How a published message gets into the stream of a socket. What is random about it is in order.test.ts.
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { WebSocket as Client } from 'ws'
import type { PubSubOptions } from '../../types/pubsub'
import { streamOf } from '../../src/beneath'
import { memberOf } from '../../src/pubsub/member'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectPair, startPubSub, type Pair } from '../helpers/pubsub'
import type { Running } from '../helpers/app'

checkLeaksAtEnd(t)

const MIB = 1024 * 1024

interface Subscribed extends Pair {
  running: Running
  publish: (data: unknown) => void
}

async function subscribe (t: Test, options: { websocket?: object, pubsub?: PubSubOptions, deflate?: boolean | object } = {}): Promise<Subscribed> {
  const running = await startPubSub(t, { websocket: options.websocket ?? {}, pubsub: options.pubsub ?? {} })
  const pair = await connectPair(t, running, { perMessageDeflate: options.deflate ?? false })
  await pair.served.subscribe('a')
  return { ...pair, running, publish: data => { running.app.pubsub.publish('a', data) } }
}

async function read ({ inbox }: Pair, count: number): Promise<string[]> {
  const all: string[] = []
  for (let i = 0; i < count; i++) all.push(String(await inbox.next()))
  return all
}

t.test('knows the sockets of its hub', async t => {
  const [mine, theirs] = [await subscribe(t), await subscribe(t)]
  const { pubsub: hub } = mine.running.app
  t.equal(memberOf((await connectPair(t, mine.running)).served, hub), undefined)
  t.equal(memberOf(mine.served, hub)?.socket, mine.served as never)
  for (const stranger of [theirs.served, mine.socket, {}, null, undefined, 'x']) t.equal(memberOf(stranger, hub), null)
})

t.test('what is published in one tick goes out by one write, with what is sent beside it', async t => {
  const pair = await subscribe(t)
  const stream = streamOf(pair.served)
  let writes = 0
  const { _write, _writev } = stream as unknown as { _write: (...args: unknown[]) => void, _writev: (...args: unknown[]) => void }
  Object.assign(stream as object, {
    _write (...args: unknown[]) { writes++; Reflect.apply(_write, this, args) },
    _writev (...args: unknown[]) { writes++; Reflect.apply(_writev, this, args) }
  })
  for (let i = 0; i < 4; i++) pair.publish(`${i}`)
  pair.served.send('between')
  for (let i = 4; i < 8; i++) pair.publish(`${i}`)
  t.same(await read(pair, 9), ['0', '1', '2', '3', 'between', '4', '5', '6', '7'])
  t.equal(writes, 1)
})

t.test('bufferedAmount tells of it before it is written', async t => {
  const pair = await subscribe(t)
  pair.publish('hello')
  t.equal(pair.served.bufferedAmount, 2 + 5)
  pair.publish('you')
  t.equal(pair.served.bufferedAmount, 2 + 5 + 2 + 3)
  t.same(await read(pair, 2), ['hello', 'you'])
  t.equal(pair.served.bufferedAmount, 0)
})

t.test('a ping, a pong and the close go out behind what was published before', async t => {
  const pair = await subscribe(t)
  const order: string[] = []
  pair.socket.on('message', data => { order.push(String(data)) })
  pair.socket.on('ping', data => { order.push(`ping ${data}`) })
  pair.socket.on('pong', data => { order.push(`pong ${data}`) })
  pair.publish('1')
  pair.served.ping('a')
  pair.publish('2')
  pair.served.pong('b')
  pair.publish('3')
  pair.served.close(4000, 'bye')
  pair.publish('not any more')
  t.match(await within(pair.inbox.closed, 'the close'), { code: 4000, reason: 'bye' })
  t.same(order, ['1', 'ping a', '2', 'pong b', '3'])
})

t.test('what was published to a socket that is cut in the same tick goes nowhere', async t => {
  const pair = await subscribe(t)
  pair.publish('1')
  pair.served.terminate()
  t.match(await within(pair.inbox.closed, 'the close'), { code: 1006 })
})

const DEFLATE = { options: { perMessageDeflate: { threshold: 0 } } }

t.test('a message does not overtake one that is still being compressed', async t => {
  const pair = await subscribe(t, { websocket: DEFLATE, deflate: true })
  pair.served.send('x'.repeat(50_000))
  pair.publish('behind')
  t.same((await read(pair, 2)).map(text => text.length), [50_000, 6])
})

t.test('nor a Blob that is still being read', async t => {
  const pair = await subscribe(t)
  pair.served.send(new Blob(['blob']) as never)
  pair.publish('behind')
  t.same(await read(pair, 2), ['blob', 'behind'])
})

for (const [name, empty] of Object.entries({ text: '', nothing: undefined, bytes: Buffer.alloc(0), blob: new Blob([]), view: new Uint8Array(0), 'an ArrayBuffer': new ArrayBuffer(0) })) {
  t.test(`nor one that is empty, which bufferedAmount does not tell (${name})`, async t => {
    const pair = await subscribe(t, { websocket: DEFLATE, deflate: true })
    pair.served.send(empty as never)
    pair.publish('behind')
    t.same(await read(pair, 2), ['', 'behind'])
    let isBack = false
    pair.served.send(empty as never, () => { isBack = true })
    pair.served.send(empty as never, { binary: true }, () => {})
    pair.publish('behind')
    t.same(await read(pair, 3), ['', '', 'behind'])
    t.ok(isBack, 'the callback of the application')
  })
}

t.test('a number is not empty, and a callback in the place of options is one', async t => {
  const pair = await subscribe(t)
  await new Promise(resolve => { pair.served.send(0 as never, resolve) })
  t.same(await read(pair, 1), ['0'])
})

t.test('between the fragments of a message there is no place for another', async t => {
  const pair = await subscribe(t)
  pair.served.send('a', { fin: false })
  pair.publish('1')
  pair.served.send('b', { fin: false })
  pair.publish('2')
  pair.served.send('c')
  pair.publish('3')
  t.same(await read(pair, 4), ['abc', '1', '2', '3'])
})

t.test('also where the socket subscribes between them', async t => {
  const running = await startPubSub(t)
  const pair = await connectPair(t, running)
  pair.served.send('a', { fin: false })
  await pair.served.subscribe('a')
  running.app.pubsub.publish('a', '1')
  pair.served.send('b')
  t.same(await read(pair, 2), ['ab', '1'])
})

t.test('what waits for the last fragment has an end', async t => {
  const pair = await subscribe(t)
  pair.served.send('a', { fin: false })
  for (let i = 0; i < 17; i++) pair.publish(Buffer.alloc(MIB))
  t.match(await within(pair.inbox.closed, 'the close'), { code: 1013, reason: 'slow consumer' })
})

for (const [name, deflate, rsv] of [
  ['compressed once where the server keeps nothing', { serverNoContextTakeover: true }, true],
  ['uncompressed to whom it would have to be compressed alone', true, false],
  ['uncompressed to who wants no compression', false, false]
] as const) {
  t.test(`a message goes ${name}`, async t => {
    const pair = await subscribe(t, { websocket: { options: { perMessageDeflate: typeof deflate === 'object' ? deflate : true } }, deflate: deflate !== false })
    const chunks: Buffer[] = []
    streamOf(pair.socket)?.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    const text = 'much the same and '.repeat(200)
    pair.publish(text)
    t.same(await read(pair, 1), [text])
    t.equal((Number(chunks[0]?.[0]) & 0x40) !== 0, rsv)
    t.equal(Buffer.concat(chunks).length < 1000, rsv)
  })
}

t.test('what counts messages counts what is published', async t => {
  const running = await startPubSub(t, { websocket: { logClose: 'info' } })
  const pair = await connectPair(t, running)
  await pair.served.subscribe('a')
  await running.app.pubsub.publish('a', 'grün')
  await running.app.pubsub.publish('a', Buffer.alloc(3))
  t.same((await read(pair, 2))[0], 'grün')
  pair.socket.close()
  t.match(await running.logged('websocket connection closed'), { messagesSent: 2, bytesSent: 8 })
})

t.test('send() of a class of the application, or one that was put on the socket, sees every message', async t => {
  const sent: unknown[] = []
  class Own extends Client {
    override send (...args: unknown[]): void {
      sent.push(args[0])
      Reflect.apply(super.send, this, args)
    }
  }
  const ofClass = await subscribe(t, { websocket: { options: { WebSocket: Own } } })
  ofClass.publish('1')
  t.same(await read(ofClass, 1), ['1'])

  const patched = await subscribe(t)
  const { send } = patched.served
  patched.publish('before')
  patched.served.send = function (this: WebSocket, ...args: unknown[]): void {
    sent.push(args[0])
    Reflect.apply(send, this, args)
  } as WebSocket['send']
  patched.publish('2')
  t.same(await read(patched, 2), ['before', '2'])
  t.same(sent, ['1', '2'])
})

t.test('nothing is written once the socket is closing', async t => {
  const pair = await subscribe(t)
  pair.served.close(4000)
  pair.publish('late')
  t.match(await pair.inbox.closed, { code: 4000 })
})

t.test('a client that does not read is ended, and keeps nobody else from it', async t => {
  const pair = await subscribe(t, { pubsub: { slowConsumer: { grace: 300, hardLimit: 100 * MIB } } })
  const healthy = await connectPair(t, pair.running)
  await healthy.served.subscribe('a')
  pair.socket.pause()
  for (let i = 0; i < 12; i++) {
    pair.publish(Buffer.alloc(MIB))
    await healthy.inbox.next()
  }
  await until(() => pair.served.readyState !== pair.served.OPEN, 'the close')
  t.equal(healthy.served.readyState, healthy.served.OPEN)
  pair.socket.resume()
  t.match(await within(pair.inbox.closed, 'the close'), { code: 1013 })
})

t.test('at once where far too much waits; never where that is said; and as its route says where that says something', async t => {
  const flood = async (options: { websocket?: object, pubsub?: PubSubOptions }): Promise<number> => {
    const pair = await subscribe(t, options)
    pair.socket.pause()
    for (let i = 0; i < 40; i++) pair.publish(Buffer.alloc(MIB))
    const { readyState } = pair.served
    pair.socket.terminate()
    return readyState
  }
  t.equal(await flood({}), Client.CLOSING)
  t.equal(await flood({ pubsub: { slowConsumer: false } }), Client.OPEN)
  t.equal(await flood({ websocket: { slowConsumer: { hardLimit: 100 * MIB } } }), Client.OPEN)
})

t.test('what is published in one tick counts together with what waits already', async t => {
  const pair = await subscribe(t, { pubsub: { slowConsumer: { maxBufferedAmount: 30 * MIB, hardLimit: 30 * MIB } } })
  pair.socket.pause()
  const publish = (count: number): void => { for (let i = 0; i < count; i++) pair.publish(Buffer.alloc(MIB)) }
  publish(20)
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(pair.served.readyState, pair.served.OPEN)
  publish(20)
  t.equal(pair.served.readyState, Client.CLOSING)
  pair.socket.terminate()
})

t.test('is in topics in the order in which it joined them', async t => {
  const running = await startPubSub(t)
  const { served } = await connectPair(t, running)
  for (const topic of ['b', 'a', 'c']) await served.subscribe(topic)
  served.unsubscribe('a')
  await served.subscribe('a')
  t.same(served.topics, ['b', 'c', 'a'])
})
