import t from 'tap'
import { BINARY, frameOf, frameOfText, TEXT } from '../src/frame'
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

for (const [name, letter, isString] of [['ASCII', 'x', true], ['latin1', 'ü', false], ['neither', '☕', false]] as const) {
  t.test(`frames text of ${name}`, async t => {
    for (const length of [1, 62, 63, 125, 126, 1000, 65_535, 65_536]) {
      const text = letter.repeat(length)
      const frame = frameOfText(TEXT, text)
      const parsed = parseFrame(Buffer.from(frame as string, 'latin1'))
      t.match(parsed?.value, { fin: true, rsv: 0, opcode: 1, masked: false })
      t.equal(String(parsed?.value.payload), text)
      t.equal(typeof frame, isString && length < 65_536 ? 'string' : 'object')
    }
  })
}
