import t from 'tap'
import { BINARY, frameOf, TEXT } from '../src/frame'
import { parseFrame } from './helpers/frames'

for (const length of [0, 1, 125, 126, 65_535, 65_536, 100_000]) {
  t.test(`frames ${length} bytes`, async t => {
    const bytes = Buffer.alloc(length, 'x')
    for (const [first, opcode] of [[TEXT, 1], [BINARY, 2]] as const) {
      const frame = frameOf(first, new Uint8Array(bytes))
      const parsed = parseFrame(frame)
      t.equal(parsed?.used, frame.length)
      t.match(parsed?.value, { fin: true, rsv: 0, opcode, masked: false })
      t.ok(parsed?.value.payload.equals(bytes))
    }
  })
}
