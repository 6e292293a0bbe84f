import t from 'tap'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { offersSafeDeflate, SAFE_DEFLATE } from '../src/safe-deflate'
import { start, TRANSPORTS } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'
import { echo } from './helpers/routes'
import { connectBy, transportOf, WAYS } from './helpers/ways'

checkLeaksAtEnd(t)

const OFFERS: Array<[string | undefined, boolean]> = [
  ['permessage-deflate; client_max_window_bits', true],
  ['permessage-deflate; client_max_window_bits=15', true],
  ['permessage-deflate; client_max_window_bits="12"', true],
  ['permessage-deflate ;client_max_window_bits=10; server_max_window_bits=10', true],
  ['permessage-deflate;server_no_context_takeover; client_no_context_takeover; client_max_window_bits', true],
  ['permessage-deflate, permessage-deflate; client_max_window_bits', true],
  ['x-other; a=b, permessage-deflate; client_max_window_bits', true],
  ['permessage-deflate', false],
  ['permessage-deflate; client_max_window_bits=9', false],
  ['permessage-deflate; client_max_window_bits; server_max_window_bits=9', false],
  ['permessage-deflate; server_max_window_bits=15', false],
  ['permessage-deflate; client_max_window_bits=many', false],
  ['x-webkit-deflate-frame; client_max_window_bits', false],
  ['', false],
  [undefined, false]
]

for (const [offer, isSafe] of OFFERS) {
  t.test(`${isSafe ? 'agrees on' : 'does without'} compression for: ${offer}`, async t => {
    t.equal(offersSafeDeflate({ headers: { 'sec-websocket-extensions': offer } } as IncomingMessage), isSafe)
  })
}

for (const over of TRANSPORTS) {
  t.test(`opens for every offer, and agrees on windows of 1 KiB and no context takeover or on nothing, over ${over}`, async t => {
    const running = await start(t, { over, websocket: { options: { perMessageDeflate: 'safe' } } }, echo)
    for (const [offer, isSafe] of OFFERS) {
      const client = await running.raw()
      const { status, headers } = await client.upgrade('/', offer === undefined ? {} : { 'Sec-WebSocket-Extensions': offer }).readResponse()
      t.equal(status, 101)
      const agreed = headers['sec-websocket-extensions']?.split('; ').sort()
      t.strictSame(agreed, isSafe ? ['client_max_window_bits=10', 'client_no_context_takeover', 'permessage-deflate', 'server_max_window_bits=10', 'server_no_context_takeover'] : undefined)
      client.destroy()
    }
  })
}

for (const way of WAYS) {
  t.test(`compresses what is worth it, over ${way}`, async t => {
    const running = await start(t, { over: transportOf(way), websocket: { options: { perMessageDeflate: 'safe' } } }, echo)
    const { socket, inbox } = await connectBy(t, way, running, '/', { perMessageDeflate: true })
    t.equal(socket.extensions, 'permessage-deflate')
    for (const text of ['short', 'long '.repeat(5000)]) {
      socket.send(text)
      t.equal(String(await inbox.next()), text)
    }
  })
}

t.test('sends short messages as they are', async t => {
  const running = await start(t, { websocket: { options: { perMessageDeflate: 'safe' } } }, app => {
    app.get('/', { websocket: true }, socket => {
      socket.send('x'.repeat(1023))
      socket.send('x'.repeat(1024))
    })
  })
  const client = await running.raw()
  await client.upgrade('/', { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }).readResponse()
  t.equal((await client.readFrame()).payload.length, 1023)
  t.ok((await client.readFrame()).payload.length < 100)
})

t.test('holds the decompressed size of a message to maxPayload', async t => {
  const running = await start(t, { websocket: { options: { perMessageDeflate: 'safe', maxPayload: 10_000 } } }, echo)
  const { socket } = await running.connect('/', { perMessageDeflate: true })
  socket.send('x'.repeat(20_000))
  t.equal((await once(socket, 'close'))[0], 1009)
})

t.test('nobody changes it', async t => {
  t.ok(Object.isFrozen(SAFE_DEFLATE))
})
