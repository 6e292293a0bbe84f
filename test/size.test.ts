import t from 'tap'
import { costOf, sizeOf } from '../src/size'

t.test('knows how much a message carries, whatever its type', async t => {
  const sizes: Array<[unknown, number]> = [
    [Buffer.from('é'), 2],
    ['é', 2],
    [new ArrayBuffer(3), 3],
    [new Uint8Array(4), 4],
    [[Buffer.alloc(2), Buffer.alloc(3)], 5],
    [[1, 2, 255], 3],
    [new Blob(['1234']), 4],
    [12345, 5],
    [undefined, 0],
    [null, 0]
  ]
  for (const [data, size] of sizes) t.equal(sizeOf(data), size)
})

t.test('an empty message costs memory too, and so does each fragment', async t => {
  t.ok(costOf(Buffer.alloc(0)) > 0)
  t.equal(costOf(Buffer.alloc(10)), costOf(Buffer.alloc(0)) + 10)
  t.ok(costOf([Buffer.alloc(0), Buffer.alloc(0)]) > costOf([Buffer.alloc(0)]))
})
