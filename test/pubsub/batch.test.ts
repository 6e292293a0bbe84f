import { PassThrough } from 'node:stream'
import t from 'tap'
import { Batch } from '../../src/pubsub/batch'

/** A stream, the chunks that were written to it, and the number of writes. */
function recorder (): { stream: PassThrough, chunks: Buffer[], writes: () => number } {
  const chunks: Buffer[] = []
  let writes = 0
  const stream = new PassThrough({
    write (chunk, _encoding, done) {
      writes++
      chunks.push(chunk)
      done()
    },
    writev (all, done) {
      writes++
      chunks.push(...all.map(({ chunk }) => chunk))
      done()
    }
  })
  return { stream, chunks, writes: () => writes }
}

const [a, b] = [Buffer.from('a'), Buffer.from('bb')]

t.test('is the same for all who get the same frames', async t => {
  const root = Batch.empty()
  t.equal(root.with(a).with(b), root.with(a).with(b))
  t.not(root.with(a).with(b), root.with(b).with(a))
  t.not(root.with(a), root.with(Buffer.from('a')), 'the frame itself counts')
  t.equal(root.with(a).with(b).size, 3)
})

t.test('a frame that is alone is written as it is', async t => {
  const { stream, chunks } = recorder()
  Batch.empty().with(a).writeTo(stream)
  t.equal(chunks[0], a)
})

t.test('several are put together once', async t => {
  const batch = Batch.empty().with(a).with(b).with(a)
  const [one, other] = [recorder(), recorder()]
  batch.writeTo(one.stream)
  batch.writeTo(other.stream)
  t.same(one.chunks.map(String), ['abba'])
  t.equal(one.chunks[0], other.chunks[0])
})

t.test('large ones are not copied, and go out by one write too', async t => {
  const large = Buffer.alloc(40_000, 'x')
  const { stream, chunks, writes } = recorder()
  Batch.empty().with(large).with(a).with(large).writeTo(stream)
  t.equal(writes(), 1)
  t.same(chunks, [large, a, large])
  t.equal(chunks[0], large)
})
