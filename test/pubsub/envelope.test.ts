import t from 'tap'
import fc from 'fast-check'
import { BINARY, HEAD, newNodeId, seal, unseal } from '../../src/pubsub/envelope'

t.test('gives back what was put in', async t => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 255 }), fc.maxSafeNat(), fc.uint8Array(), (flags, number, bytes) => {
    const sequence = number % 2 ** 48
    const node = newNodeId()
    const sealed = seal({ flags, node, sequence, payload: Buffer.from(bytes) })
    const { payload, ...rest } = unseal(sealed) ?? {}
    return sealed.length === HEAD + bytes.length && Buffer.from(bytes).equals(payload ?? Buffer.of(1)) &&
      JSON.stringify(rest) === JSON.stringify({ flags, node, sequence })
  }))
})

t.test('knows what is not ours', async t => {
  const sealed = seal({ flags: BINARY, node: 1, sequence: 1, payload: Buffer.from('x') })
  t.ok(unseal(sealed))
  for (const index of [0, 1, 2]) {
    const wrong = Buffer.from(sealed)
    wrong[index] = 0
    t.equal(unseal(wrong), undefined)
  }
  t.equal(unseal(sealed.subarray(0, HEAD - 1)), undefined)
  t.equal(unseal(Buffer.alloc(0)), undefined)
})

t.test('nodes are told apart', async t => {
  t.equal(new Set(Array.from({ length: 100 }, newNodeId)).size, 100)
})
