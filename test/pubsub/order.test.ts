// Whatever an application does with a socket, what is published comes in its place among what is sent, and nothing comes twice
// or in pieces.
// To run more of it, or what failed again: see ../property/hostile-clients.test.ts.
import fc from 'fast-check'
import t from 'tap'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { connectPair, startPubSub, type Pair } from '../helpers/pubsub'
import { transportOf, WAYS } from '../helpers/ways'
import { parameters } from '../property/attack'

checkLeaksAtEnd(t)

const text = fc.oneof(
  fc.constant(''),
  fc.string({ maxLength: 20 }),
  fc.integer({ min: 100, max: 5000 }).map(length => 'compressible '.repeat(Math.ceil(length / 13)).slice(0, length)),
  fc.constantFrom('x'.repeat(70_000))
)

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('publish' as const), text, binary: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('send' as const), text, compress: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fragments' as const), text }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('blob' as const), text }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('ping' as const), text: fc.constant('ping') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tick' as const), text: fc.constant('') }) }
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const COMPRESSIONS = {
  'without compression': false,
  'with context takeover': { threshold: 0 },
  'compressed once': { serverNoContextTakeover: true, threshold: 0, serverMaxWindowBits: 12 },
  safe: 'safe' as const
}

for (const way of WAYS) {
  for (const [name, perMessageDeflate] of Object.entries(COMPRESSIONS)) {
    t.test(`everything comes in order, over ${way}, ${name}`, async t => {
      const running = await startPubSub(t, { over: transportOf(way), websocket: { options: { perMessageDeflate } }, pubsub: { compress: { threshold: 0 } } })
      const { app } = running
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
        const pair = await connectPair(t, running, { way, perMessageDeflate: true })
        const got: string[] = []
        pair.socket.on('message', (data, isBinary) => { got.push(`${isBinary ? 'binary' : 'text'} ${String(data)}`) })
        pair.socket.on('ping', data => { got.push(`ping ${String(data)}`) })
        await pair.served.subscribe('topic')
        const expected = await play(pair, steps, (text, binary) => { app.pubsub.publish('topic', text, { binary }) })
        const closed = new Promise<void>(resolve => { pair.socket.once('close', () => { resolve() }) })
        pair.served.close()
        await within(closed, 'the close')
        if (got.join('\n') !== expected.join('\n')) throw new Error(`got ${show(got)}\nexpected ${show(expected)}`)
      }), parameters({ tcp: 60, tls: 25, http2: 10, h2c: 25, h2: 10, injectWS: 40, 'injectWS over HTTP/2': 10 }[way]))
    })
  }
}

/** Gives what the client is to see. */
async function play ({ served }: Pair, steps: Step[], publish: (text: string, binary: boolean) => void): Promise<string[]> {
  const expected: string[] = []
  let open: { text: string, behind: string[] } | undefined
  for (const step of steps) {
    if (step.do === 'publish') {
      publish(step.text, step.binary);
      (open?.behind ?? expected).push(`${step.binary ? 'binary' : 'text'} ${step.text}`)
    } else if (step.do === 'ping') {
      served.ping(step.text)
      expected.push('ping ping')
    } else if (step.do === 'tick') {
      await new Promise(resolve => { setImmediate(resolve) })
    } else if (open !== undefined || step.do === 'fragments') {
      served.send(step.text, { fin: step.do !== 'fragments' })
      open ??= { text: '', behind: [] }
      open.text += step.text
      if (step.do !== 'fragments') close()
    } else if (step.do === 'send') {
      served.send(step.text, { compress: step.compress })
      expected.push(`text ${step.text}`)
    } else {
      served.send(new Blob([step.text]) as never, { binary: false })
      expected.push(`text ${step.text}`)
    }
  }
  if (open !== undefined) {
    served.send('')
    close()
  }
  return expected

  function close (): void {
    if (open === undefined) return
    expected.push(`text ${open.text}`, ...open.behind)
    open = undefined
  }
}

function show (list: string[]): string {
  return JSON.stringify(list.map(each => each.slice(0, 40)))
}
