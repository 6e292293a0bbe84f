// Whatever correct messages a client sends, in whatever pieces, and however early: each one arrives, in order.
// To run more of it, or what failed again: see hostile-clients.test.ts.
import t from 'tap'
import fc from 'fast-check'
import { TRANSPORTS } from '../helpers/app'
import { frame } from '../helpers/frames'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'
import { connectRaw, type RawClient } from '../helpers/raw-client'
import { requestHead, upgradeHead } from '../helpers/requests'
import { ECHOES, options } from './application'
import { message, type Message, part } from './arbitraries'
import { parameters, send, Target } from './attack'

checkLeaksAtEnd(t)

const conversation = fc.record({
  path: fc.constantFrom(...ECHOES),
  /** Plain requests in front of the upgrade, on the same connection. */
  earlier: fc.array(fc.constantFrom('/plain', '/slow'), { maxLength: 2 }),
  messages: fc.array(message, { maxLength: 12 }),
  cuts: fc.array(part(), { maxLength: 5 }),
  pause: fc.constantFrom(0, 0, 3),
  /** Waits for the 101 before the first message. */
  isPatient: fc.boolean()
})

for (const over of TRANSPORTS) {
  t.test(`echoes every message in order, over ${over}`, async t => {
    const target = new Target(t, over, options)
    await fc.assert(fc.asyncProperty(fc.array(conversation, { minLength: 1, maxLength: 4 }), async conversations => {
      await target.survives(async running => {
        await Promise.all(conversations.map(async ({ path, earlier, messages, cuts, pause, isPatient }) => {
          const client = await connectRaw(running)
          try {
            const requests = earlier.map(each => requestHead('GET', each)).join('') + upgradeHead(path)
            const frames = messages.map(each => each.frames).join('')
            await send(client, isPatient ? requests : requests + frames, cuts, pause)
            for (const status of [...earlier.map(() => 200), 101]) await readStatus(client, status)
            if (isPatient) await send(client, frames, cuts, pause)
            for (const expected of messages) await readEcho(client, expected)
            client.write(frame('close'))
            client.fin()
            await within(client.closed, 'the end of the connection')
          } finally {
            client.destroy()
          }
        }))
      })
    }), parameters({ tcp: 50, tls: 20, http2: 10 }[over]))
  })
}

async function readStatus (client: RawClient, expected: number): Promise<void> {
  const { status } = await client.readResponse()
  if (status !== expected) throw new Error(`status ${status} in place of ${expected}`)
}

async function readEcho (client: RawClient, { opcode, payload }: Message): Promise<void> {
  let answer = await client.readFrame()
  while (answer.opcode === 0xa) answer = await client.readFrame()
  const got = answer.payload.toString('latin1')
  if (got !== payload) throw new Error(`echo ${JSON.stringify(got.slice(0, 100))} of ${JSON.stringify(payload.slice(0, 100))}`)
  if (answer.opcode !== (opcode === 'text' ? 1 : 2)) throw new Error(`opcode ${answer.opcode} of a ${opcode} message`)
}
