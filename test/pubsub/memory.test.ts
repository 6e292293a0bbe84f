import t from 'tap'
import { memory, readHistory } from '../../src/pubsub/memory'
import type { Engine } from '../../types/pubsub'

const page = async (engine: Engine, after: string, limit = 100): Promise<[string, boolean]> => {
  const { messages, isComplete } = await engine.history?.read('a', after, limit) ?? { messages: [], isComplete: true }
  return [messages.map(({ message }) => String(message)).join(), isComplete]
}

async function fill (engine: Engine, texts: string[], topic = 'a'): Promise<string[]> {
  const ids: string[] = []
  await engine.start({ deliver: (_topic, _message, id) => { ids.push(String(id)) }, status () {}, timeout: 1000 })
  await engine.subscribe(topic)
  for (const text of texts) await engine.publish(topic, Buffer.from(text))
  return ids
}

t.test('is alone, and keeps nothing', async t => {
  const engine = memory()
  t.match(engine, { name: 'memory', ordering: 'local', alone: true, history: undefined })
  await engine.start({ deliver () {}, status () {}, timeout: 1 })
  await engine.subscribe('a')
  t.equal(await engine.publish('a', Buffer.alloc(1)), 1)
  await engine.unsubscribe('a')
  await engine.close()
})

t.test('gives each message an id, and keeps the last ones', async t => {
  const engine = memory({ history: { maxLength: 3 } })
  const ids = await fill(engine, ['1', '2', '3', '4', '5'])
  t.equal(ids.length, 5)
  t.equal(await engine.history?.last('a'), ids[4])
  t.equal(await engine.history?.last('b'), '0')
  t.same(await page(engine, '0'), ['3,4,5', true])
  t.same(await page(engine, '0', 2), ['3,4', true])
  t.same(await page(engine, String(ids[3])), ['5', true])
  t.same(await page(engine, String(ids[1])), ['3,4,5', true], 'nothing is missing behind it')
  t.same(await page(engine, String(ids[0])), ['3,4,5', false])
  t.same(await page(engine, String(ids[4])), ['', true])
  await engine.unsubscribe('a')
  await engine.publish('a', Buffer.from('6'))
  t.equal(ids.length, 5)
  await engine.close()
})

t.test('ids of an earlier process are too old', async t => {
  const engine = memory({ history: true })
  t.same(await page(engine, `${Date.now() - 5000}-7`), ['', false])
  await fill(engine, ['1'])
  t.same(await page(engine, `${Date.now() - 5000}-7`), ['1', false])
})

t.test('keeps nothing for longer than maxAge, and no topic of which nothing is left', async t => {
  const engine = memory({ history: { maxAge: 300 } })
  const ids = await fill(engine, ['1', '2'])
  await new Promise(resolve => { setTimeout(resolve, 400) })
  t.same(await page(engine, '0'), ['', true])
  t.same(await page(engine, String(ids[0])), ['', false])
  t.same(await page(engine, String(ids[1])), ['', true])
  await fill(engine, Array.from({ length: 998 }, () => 'x'), 'b')
  t.same(await page(engine, String(ids[0])), ['', false], 'also once the topic is forgotten')
  t.same(await page(engine, String(ids[1])), ['', true])
  await fill(engine, ['3'])
  t.same(await page(engine, String(ids[0])), ['3', false])
})

t.test('keeps nothing of the hubs\' own topic', async t => {
  const engine = memory({ history: true })
  await fill(engine, ['x'], '')
  t.same((await engine.history?.read('', '0', 10))?.messages, [])
})

t.test('reads what is asked for', async t => {
  t.equal(readHistory('x', false), undefined)
  t.same(readHistory('x', true), { maxLength: 100, maxAge: 300_000 })
  t.same(readHistory('x', { maxLength: 5, maxAge: 6 }), { maxLength: 5, maxAge: 6 })
  t.throws(() => memory({ history: { maxLength: 0 } }), { code: 'FST_WS_INVALID_OPTION', message: /memory\.history\.maxLength/ })
  t.throws(() => memory({ history: { maxAge: -1 } }), { code: 'FST_WS_INVALID_OPTION', message: /memory\.history\.maxAge/ })
  t.throws(() => memory({ histroy: true } as object), { code: 'FST_WS_INVALID_OPTION', message: /memory\.histroy is not known/ })
})
