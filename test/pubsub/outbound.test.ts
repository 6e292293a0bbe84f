import t from 'tap'
import type { Engine } from '../../types/pubsub'
import { Content } from '../../src/pubsub/content'
import { BINARY, CONTROL, CONTROL_TOPIC, unseal } from '../../src/pubsub/envelope'
import { Excepted } from '../../src/pubsub/excepted'
import type { Member } from '../../src/pubsub/member'
import { Outbound } from '../../src/pubsub/outbound'

const NODE = 7
const member = {} as Member

interface Sent {
  topic: string
  bytes: Buffer
}

function create (engine: Partial<Engine> = {}): { outbound: Outbound, excepted: Excepted, sent: Sent[] } {
  const sent: Sent[] = []
  const excepted = new Excepted()
  const outbound = new Outbound(NODE, {
    name: 'mine',
    ordering: 'local',
    async publish (topic: string, bytes: Buffer) {
      sent.push({ topic, bytes })
      return 3
    },
    ...engine
  } as Engine, excepted)
  outbound.isUp = true
  return { outbound, excepted, sent }
}

t.test('numbers what goes out to each topic, in the order of the calls', async t => {
  const { outbound, sent } = create()
  const all = ['a', 'b', 'a'].map(async topic => { await outbound.send(topic, Content.published(Buffer.from(topic), undefined), undefined) })
  t.same(sent.map(({ topic, bytes }) => ({ topic, ...unseal(bytes) })), [['a', 1], ['b', 1], ['a', 2]].map(([topic, sequence]) => (
    { topic, flags: BINARY, node: NODE, sequence, payload: Buffer.from(String(topic)) }
  )))
  await Promise.all(all)
})

t.test('knows who is not to get what comes back, until it is known that it does not', async t => {
  const content = Content.published('x', undefined)
  for (const ordering of ['engine', 'local'] as const) {
    const { outbound, excepted } = create({ ordering })
    await outbound.send('a', content, member)
    t.equal(excepted.take('a', 1), ordering === 'engine' ? member : undefined)
  }
  const { outbound, excepted } = create({ ordering: 'engine', async publish () { throw new Error('lost') } })
  await t.rejects(outbound.send('a', content, member), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /mine.*lost/ })
  t.equal(excepted.take('a', 1), undefined)
})

t.test('tells all hubs a note, on a topic of their own', async t => {
  const { outbound, sent } = create()
  t.equal(await outbound.tell({ ask: 1 }), 3)
  t.match(sent.map(({ topic, bytes }) => ({ topic, ...unseal(bytes) })), [{ topic: CONTROL_TOPIC, flags: CONTROL, payload: Buffer.from('{"ask":1}') }])
  const deaf = create({ async publish () { throw new Error('lost') } }).outbound
  await t.rejects(deaf.tell({}), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /lost/ })
})

t.test('where there are no other nodes, this one is all that is reached', async t => {
  const { outbound, sent } = create({ alone: true })
  t.equal(await outbound.tell({}), 1)
  t.same(sent, [])
})

t.test('says at once that the engine is down, or has ended, and counts nothing then', async t => {
  const { outbound, sent } = create()
  const content = Content.published('x', undefined)
  outbound.isUp = false
  await t.rejects(outbound.send('a', content, member), { code: 'FST_WS_PUBSUB_UNAVAILABLE', message: /it is down/ })
  await t.rejects(outbound.tell({}), { message: /it is down/ })
  outbound.isClosed = true
  await t.rejects(outbound.send('a', content, undefined), { message: /it is closed/ })
  outbound.isUp = true
  await outbound.send('a', content, undefined)
  t.match(sent.map(({ bytes }) => unseal(bytes)), [{ sequence: 1 }])
})

t.test('the error of a publication has its cause', t => {
  const { outbound } = create()
  const cause = new Error('why')
  t.match(outbound.unavailable(cause), { code: 'FST_WS_PUBSUB_UNAVAILABLE', cause })
  t.match(outbound.unavailable('why').message, /why/)
  t.end()
})
