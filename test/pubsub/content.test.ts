import t from 'tap'
import { Content } from '../../src/pubsub/content'
import { BINARY, JSON_TEXT } from '../../src/pubsub/envelope'

t.test('text is text, unless binary says otherwise', async t => {
  const content = Content.published('grün', undefined)
  t.match(content, { flags: 0, isBinary: false, size: 5, data: 'grün', message: 'grün' })
  t.same(content.payload, Buffer.from('grün'))
  t.match(Content.published('x', true), { flags: BINARY, isBinary: true, message: Buffer.from('x') })
})

t.test('bytes of any kind are binary, unless binary says otherwise', async t => {
  const bytes = new Uint8Array([0, 104, 105, 0]).subarray(1, 3)
  for (const data of [Buffer.from('hi'), bytes, new DataView(bytes.buffer, 1, 2), Uint8Array.from([104, 105]).buffer]) {
    t.match(Content.published(data, undefined), { flags: BINARY, size: 2, data: Buffer.from('hi'), message: Buffer.from('hi') })
  }
  t.match(Content.published(Buffer.from('hi'), false), { flags: 0, isBinary: false, message: 'hi' })
})

t.test('anything else is JSON', async t => {
  for (const value of [{ a: [1, null] }, 5, true, null]) {
    const content = Content.published(value, undefined)
    t.match(content, { flags: JSON_TEXT, isBinary: false, data: JSON.stringify(value) })
    t.same(content.message, value)
    const received = Content.received(content.flags, content.payload)
    t.same(received.message, value)
    t.equal(String(received.data), JSON.stringify(value))
  }
  t.match(Content.published({}, true), { isBinary: true, message: {} })
})

t.test('refuses what JSON cannot hold', async t => {
  const circle: Record<string, unknown> = {}
  circle.self = circle
  for (const value of [undefined, () => {}, Symbol('x'), circle, 5n]) {
    t.throws(() => Content.published(value, undefined), { code: 'FST_WS_PUBSUB_INVALID_MESSAGE' })
  }
})
