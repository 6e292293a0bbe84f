import t from 'tap'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { Message, UNSHARED } from '../../src/pubsub/message'
import { parseFrame } from '../helpers/frames'

const ALL = { threshold: 0, limit: 100_000 }
const TRAILER = Buffer.of(0, 0, 0xff, 0xff)

t.test('text is text, and is built once', async t => {
  const message = new Message('grün', false, ALL)
  t.match(parseFrame(message.frame(UNSHARED))?.value, { fin: true, rsv: 0, opcode: 1, payload: Buffer.from('grün') })
  t.equal(message.frame(UNSHARED), message.frame(UNSHARED))
  t.match(parseFrame(new Message(Buffer.of(1), true, ALL).frame(UNSHARED))?.value, { opcode: 2, payload: Buffer.of(1) })
  t.equal(message.bytes, message.bytes)
  t.same(message.options, { binary: false, compress: false })
})

t.test('compresses once for each size of windows', async t => {
  // Each half can be told by the other, for those whose windows reach back that far.
  const half = letters(3000)
  const text = half + half + 'x'.repeat(3000)
  const message = new Message(text, false, ALL)
  for (const bits of [15, 12, 9]) {
    const frame = message.frame(bits)
    t.equal(message.frame(bits), frame)
    const { value } = parseFrame(frame) ?? {}
    t.match(value, { rsv: 4, opcode: 1, fin: true })
    t.equal(inflate(value?.payload, bits), text)
  }
  t.equal(new Message(Buffer.from(text), true, ALL).frame(15)[0], 0xc2)
})

for (const bits of [9, 10, 11, 12, 13, 14, 15]) {
  t.test(`compresses what a window of ${bits} bits sees whole as well as with a larger one, once for all who have such`, async t => {
    const most = 2 ** bits - 262
    for (const length of [300, most - 1, most].filter(length => length <= most)) {
      const end = length / 8
      const text = letters(length - end) + letters(length).slice(0, end)
      const message = new Message(text, false, ALL)
      const frame = message.frame(bits)
      for (let larger = bits; larger <= 15; larger++) t.equal(message.frame(larger), frame)
      const { value } = parseFrame(frame) ?? {}
      t.equal(inflate(value?.payload, bits), text)
      t.ok(frame.length <= deflateRawSync(text, { finishFlush: 2 }).length)
    }
  })
}

t.test('leaves uncompressed what is small, large, random, for windows of 8 bits or for a client that cannot share it', async t => {
  const compression = { threshold: 100, limit: 1000 }
  for (const [bytes, bits] of [[Buffer.alloc(99), 15], [Buffer.alloc(1001), 15], [Buffer.alloc(500), 8], [Buffer.alloc(500), UNSHARED]] as const) {
    t.equal(new Message(bytes, true, compression).frame(bits)[0], 0x82)
  }
  t.equal(new Message(Buffer.alloc(500), true, undefined).frame(15)[0], 0x82)
  const random = new Message(Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 7919 + i * i * 31) % 251)), true, compression)
  t.equal(random.frame(15)[0], 0x82)
  t.equal(new Message(Buffer.alloc(100), true, compression).frame(15)[0], 0xc2)
  t.equal(new Message(Buffer.alloc(1000), true, compression).frame(15)[0], 0xc2)
})

/** Always the same ones, and nothing in them twice. */
function letters (count: number): string {
  let seed = 1
  return Array.from({ length: count }, () => String.fromCharCode(97 + ((seed = (seed * 16_807) % 2_147_483_647) >> 8) % 26)).join('')
}

function inflate (payload: Buffer = TRAILER, windowBits: number): string {
  return String(inflateRawSync(Buffer.concat([payload, TRAILER]), { windowBits, finishFlush: 2, chunkSize: 64 }))
}
