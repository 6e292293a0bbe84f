import t from 'tap'
import { memory } from '../../src/pubsub'
import { connectPair, startPubSub } from '../helpers/pubsub'
import { checkLeaksAtEnd } from '../helpers/leaks'

checkLeaksAtEnd(t)

t.test('sockets get it first, then listeners; what a listener publishes comes behind for everybody', async t => {
  const running = await startPubSub(t)
  const { pubsub } = running.app
  const { served, inbox } = await connectPair(t, running)
  await served.subscribe('a')
  const heard: string[] = []
  pubsub.on('a', text => {
    heard.push(`first ${text}`)
    if (text === '1') pubsub.publish('a', '2')
    heard.push('published')
  })
  pubsub.on('a', text => { heard.push(`second ${text}`) })
  await pubsub.publish('a', '1')
  t.same(heard, ['first 1', 'published', 'second 1', 'first 2', 'published', 'second 2'])
  t.same([String(await inbox.next()), String(await inbox.next())], ['1', '2'])
})

t.test('a listener gets what was published and what is known of it, until it is taken off', async t => {
  const { app: { pubsub } } = await startPubSub(t)
  const heard: unknown[] = []
  const off = pubsub.on('a', (message, received) => { heard.push([message, received]) })
  await pubsub.publish('a', { text: 'x' })
  await pubsub.publish('a', Buffer.from('x'))
  off()
  off()
  await pubsub.publish('a', 'y')
  t.same(heard, [
    [{ text: 'x' }, { topic: 'a', id: undefined, binary: false }],
    [Buffer.from('x'), { topic: 'a', id: undefined, binary: true }]
  ])
  t.equal(pubsub.stats.topics, 0)
})

t.test('what listeners and serialize() throw or reject with is logged, and stops nobody', async t => {
  let isBroken = true
  const running = await startPubSub(t, {
    pubsub: {
      serialize (message) {
        if (isBroken) throw new Error('of serialize')
        return String(message)
      }
    }
  })
  const { pubsub } = running.app
  const { served, inbox } = await connectPair(t, running)
  await served.subscribe('a')
  const heard: unknown[] = []
  pubsub.on('a', () => { throw new Error('of a listener') })
  pubsub.on('a', async () => { throw new Error('of an async listener') })
  pubsub.on('a', message => { heard.push(message) })
  await pubsub.publish('a', '1')
  isBroken = false
  await pubsub.publish('a', '2')
  t.same(heard, ['1', '2'])
  t.equal(String(await inbox.next()), '2')
  for (const message of ['of serialize', 'of a listener', 'of an async listener']) t.ok(await running.logged(message))
})

t.test('serialize() makes what goes out, once for all sockets, and what was binary stays so', async t => {
  const calls: unknown[] = []
  const running = await startPubSub(t, {
    pubsub: {
      serialize (message, received) {
        calls.push([message, received])
        return Buffer.isBuffer(message) ? Uint8Array.from(message).reverse() : `${received.topic}: ${JSON.stringify(message)}`
      }
    }
  })
  const pairs = [await connectPair(t, running), await connectPair(t, running)]
  for (const { served } of pairs) await served.subscribe('a')
  await running.app.pubsub.publish('a', { n: 1 })
  await running.app.pubsub.publish('a', Buffer.from('abc'))
  await running.app.pubsub.publish('nobody', 'x')
  for (const { inbox } of pairs) {
    t.match(await inbox.next(), { data: Buffer.from('a: {"n":1}'), isBinary: false })
    t.match(await inbox.next(), { data: Buffer.from('cba'), isBinary: true })
  }
  t.equal(calls.length, 2)
  t.same(calls[0], [{ n: 1 }, { topic: 'a', id: undefined, binary: false }])
})

t.test('a socket that has caught up is one like any other', async t => {
  const ids: unknown[] = []
  const running = await startPubSub(t, { pubsub: { engine: memory({ history: true }), serialize: (message, { id }) => `${ids.push(id)} ${message}` } })
  const { pubsub } = running.app
  const [first, second] = [await connectPair(t, running), await connectPair(t, running)]
  await first.served.subscribe('a')
  await pubsub.publish('a', 'x')
  await second.served.subscribe('a', { after: '0' })
  t.equal(pubsub.count('a'), 2)
  await pubsub.publish('a', 'y', { except: second.served })
  await pubsub.publish('a', 'z')
  await pubsub.publish('a', 'end', { local: true })
  t.same([String(await first.inbox.next()), String(await second.inbox.next())], ['1 x', '2 x'])
  t.same([String(await first.inbox.next()), String(await first.inbox.next()), String(await first.inbox.next())], ['3 y', '4 z', '5 end'])
  t.same([String(await second.inbox.next()), String(await second.inbox.next())], ['4 z', '5 end'])
  t.same(ids.map(id => typeof id), ['string', 'string', 'string', 'string', 'undefined'])
})
