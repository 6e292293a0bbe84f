import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { deflateOf, isIdle, streamOf } from '../src/beneath'
import { upgradeOf } from '../src/upgrade'
import { start } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'
import { until, within } from './helpers/limit'
import { connectBy, transportOf, WAYS, type Way } from './helpers/ways'

checkLeaksAtEnd(t)

async function serve (t: Test, options: object, way: Way = 'tcp', offer: object | false = {}): Promise<{ served: WebSocket, client: WebSocket, stream: unknown }> {
  const running = await start(t, { over: transportOf(way), websocket: { options } }, app => { app.get('/', { websocket: true }, () => {}) })
  const connected = once(running.app.websocketServer, 'connection')
  const { socket } = await connectBy(t, way, running, '/', { perMessageDeflate: offer })
  const [served, rawRequest] = await within(connected, 'the connection')
  return { served, client: socket, stream: upgradeOf(rawRequest)?.stream }
}

for (const way of WAYS) {
  t.test(`gives the stream that frames are written to, over ${way}`, async t => {
    const { served, client, stream } = await serve(t, {}, way)
    t.equal(streamOf(served), stream)
    const message = once(client, 'message')
    streamOf(served)?.write(Buffer.of(0x81, 2, 0x68, 0x69))
    t.equal(String((await within(message, 'the message'))[0]), 'hi')
  })
}

t.test('gives none once the socket is closed, nor of a websocket without one', async t => {
  const { served } = await serve(t, {})
  served.terminate()
  await until(() => served.readyState === served.CLOSED, 'the close')
  const stream = streamOf(served)
  t.ok(stream === undefined || stream.destroyed)
  t.equal(streamOf({} as WebSocket), undefined)
  const noStream = { cork () {} }
  t.equal(streamOf({ _socket: noStream, _sender: { _socket: noStream } } as unknown as WebSocket), undefined)
})

t.test('gives none that is not what the websocket itself writes to', async t => {
  const { served } = await serve(t, {})
  const { _socket: stream } = served as unknown as { _socket: unknown }
  for (const _sender of [undefined, null, {}, { _socket: null }]) t.equal(streamOf({ _socket: stream, _sender } as unknown as WebSocket), undefined)
})

t.test('knows whether ws has something of its own under way', async t => {
  const { served } = await serve(t, { perMessageDeflate: { threshold: 0 } })
  t.equal(isIdle(served), true)
  served.send('a', { fin: false, compress: false })
  t.equal(isIdle(served), false, 'a message in fragments')
  served.send('b')
  t.equal(isIdle(served), true)
  // Each of them is nothing to bufferedAmount.
  for (const [name, data] of [['compresses', ''], ['reads a Blob', new Blob([])]] as const) {
    const sent = new Promise(resolve => { served.send(data as string, { compress: name === 'compresses' }, resolve) })
    t.equal(isIdle(served), false, name)
    await within(sent, name)
    t.equal(isIdle(served), true)
  }
  t.equal(isIdle({} as WebSocket), false, 'where it is not known')
})

t.test('tells what was agreed on of compression', async t => {
  t.equal(deflateOf((await serve(t, {})).served), undefined)
  t.equal(deflateOf((await serve(t, { perMessageDeflate: true }, 'tcp', false)).served), undefined)
  t.equal(deflateOf({} as WebSocket), undefined)
  t.same(deflateOf((await serve(t, { perMessageDeflate: true })).served), { serverNoContextTakeover: false, serverMaxWindowBits: 15 })
  t.same(deflateOf((await serve(t, { perMessageDeflate: 'safe' })).served), { serverNoContextTakeover: true, serverMaxWindowBits: 10 })
})
