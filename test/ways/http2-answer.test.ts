import t, { type Test } from 'tap'
import { once } from 'node:events'
import { type ClientHttp2Stream, createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { translateAnswer } from '../../src/ways/http2-answer'
import { answerTo, closed, connectStream, openSession, responseTo } from '../helpers/http2-clients'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { within } from '../helpers/limit'

checkLeaksAtEnd(t)

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: abc\r\nX-One: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n'

interface Pair {
  client: ClientHttp2Stream;
  stream: ServerHttp2Stream;
  told: string[];
}

for (const isKeyed of [false, true]) {
  t.test(`opens by a 101, ${isKeyed ? 'and answers the key' : 'without what belongs to HTTP/1.1'}`, async t => {
    const { client, stream, told } = await translated(t, isKeyed)
    const own = stream.write
    stream.write(SWITCH + 'frames')
    const headers = await answerTo(client)

    t.match(headers, { ':status': 200, 'x-one': '1', 'set-cookie': ['a=1', 'b=2'] })
    for (const name of ['upgrade', 'connection']) t.notOk(name in headers)
    t.equal(headers['sec-websocket-accept'], isKeyed ? 'abc' : undefined)
    const [bytes] = await within(once(client, 'data'), 'the frames')
    t.equal(String(bytes), 'frames')
    t.same(told, ['written'])
    t.not(stream.write, own)
    stream.end()
  })
}

t.test('waits for the whole head, and calls back for each part of it', async t => {
  const { client, stream } = await translated(t)
  let called = 0
  const callback = (): void => { called++ }
  t.equal(stream.write(Buffer.from(SWITCH.slice(0, 4)), callback), true)
  t.equal(stream.write(SWITCH.slice(4, 30), 'latin1', callback), true)
  t.equal(stream.headersSent, false)
  stream.write(SWITCH.slice(30), callback)
  t.equal((await answerTo(client))[':status'], 200)
  stream.end(callback)
  client.resume()
  await closed(client)

  t.equal(called, 4)
})

t.test('refuses by any other status, with its body', async t => {
  const { client, stream } = await translated(t)
  stream.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno')

  t.match(await responseTo(client), { status: 401, headers: { 'content-length': '2' }, body: 'no' })
})

const broken: Record<string, (stream: ServerHttp2Stream) => void> = {
  'what is no answer of HTTP/1.1': stream => { stream.write('hello') },
  'a head without end': stream => { stream.write('HTTP/1.1 101 ' + 'x'.repeat(70_000)) },
  'half a head': stream => { stream.end('HTTP/1.1 101 Swi') },
  nothing: stream => { stream.end() }
}
for (const [name, write] of Object.entries(broken)) {
  t.test(`ends a stream to which somebody writes ${name}`, async t => {
    const { client, stream } = await translated(t)
    write(stream)

    await closed(client)
    t.equal(stream.destroyed, true)
    t.equal(client.sentHeaders[':method'], 'CONNECT')
  })
}

t.test('leaves everything as it was where a header must not be sent', async t => {
  const { client, stream, told } = await translated(t)
  t.throws(() => stream.write('HTTP/1.1 101 x\r\nDate: 1\r\nDate: 2\r\n\r\n'), { code: 'ERR_HTTP2_HEADER_SINGLE_VALUE' })
  stream.respond({ ':status': 500 }, { endStream: true })

  t.equal((await answerTo(client))[':status'], 500)
  t.same(told, ['written', 'begun'])
})

t.test('never lets a response open a websocket', async t => {
  for (const headers of [undefined, { ':status': 200 }, { ':status': 204 }]) {
    const { client, stream, told } = await translated(t)
    stream.respond(headers)
    stream.end('body')

    t.match(await responseTo(client), { status: 403, body: 'body' })
    t.same(told, ['begun'])
  }
})

t.test('lets Node end a stream that is closed', async t => {
  const { client, stream } = await translated(t)
  stream.close(8)

  t.equal(await closed(client), 8)
})

async function translated (t: Test, isKeyed = false): Promise<Pair> {
  const server = createServer(() => {})
  server.updateSettings({ enableConnectProtocol: true })
  server.on('connect', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const streamed = once(server, 'stream')
  const session = await openSession(t, { url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  const client = connectStream(session)
  const [stream] = await within(streamed, 'the stream')
  const told: string[] = []
  translateAnswer(stream, { isKeyed, onWritten: () => { told.push('written') }, onResponseBegun: () => { told.push('begun') } })
  return { client, stream, told }
}
