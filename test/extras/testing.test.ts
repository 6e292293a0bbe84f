import t, { type Test } from 'tap'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws'
import { readMessages } from '../../src/extras/testing'
import type { Message } from '../../types/testing'
import { frame } from '../helpers/frames'
import { checkLeaksAtEnd } from '../helpers/leaks'

checkLeaksAtEnd(t)

async function listen (t: Pick<Test, 'teardown'>, options: ServerOptions = {}): Promise<{ server: WebSocketServer, url: string }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options })
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Both ends of one open connection. */
async function connect (t: Pick<Test, 'teardown'>): Promise<{ client: WebSocket, peer: WebSocket }> {
  const { server, url } = await listen(t)
  const client = new WebSocket(url)
  t.teardown(() => client.terminate())
  const [[peer]] = await Promise.all([once(server, 'connection'), once(client, 'open')])
  return { client, peer }
}

t.test('gives the messages in the order in which they arrived', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(client)

  for (const text of ['one', 'two', 'three']) peer.send(text)
  await once(client, 'message')

  t.equal(String(await inbox.next()), 'one')
  t.equal(String(await inbox.next()), 'two')
  t.equal(String(await inbox.next()), 'three')
})

t.test('gives a message that comes later to a next() that waits', async t => {
  const { client, peer } = await connect(t)
  const waiting = readMessages(client).next()

  peer.send('late')

  t.equal(String(await waiting), 'late')
})

t.test('misses nothing on a socket that is still connecting', async t => {
  const { server, url } = await listen(t)
  server.on('connection', function greet (socket) {
    socket.send('hello')
    socket.close(1000, 'bye')
  })

  const inbox = readMessages(new WebSocket(url))

  t.equal(String(await inbox.next()), 'hello')
  t.strictSame(await inbox.closed, { code: 1000, reason: 'bye' })
})

t.test('serves several next() at once in the order of the calls', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(client)
  const waiting = Promise.all([inbox.next(), inbox.next(), inbox.next()])

  for (const text of ['one', 'two', 'three']) peer.send(text)

  t.same((await waiting).map(String), ['one', 'two', 'three'])
})

t.test('tells text from binary, and reads both as text and as JSON', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(client)
  peer.send('{"answer":42}')
  peer.send(Buffer.from([1, 2, 3]))

  const text = await inbox.next()
  const binary = await inbox.next()

  t.equal(text.isBinary, false)
  t.same(text.data, Buffer.from('{"answer":42}'))
  t.equal(`${text}`, '{"answer":42}')
  t.equal(text.json<{ answer: number }>().answer, 42)
  t.equal(binary.isBinary, true)
  t.same(binary.data, Buffer.from([1, 2, 3]))
  t.throws(() => binary.json(), SyntaxError)
})

for (const binaryType of ['nodebuffer', 'arraybuffer', 'fragments', 'blob']) {
  t.test(`gives a Buffer, and keeps the order, where the binaryType is '${binaryType}'`, async t => {
    const { client, peer } = await connect(t)
    Object.assign(client, { binaryType })
    const inbox = readMessages(client)
    const waiting = inbox.next()

    peer.send(Buffer.from('in '), { binary: true, fin: false })
    peer.send(Buffer.from('parts'), { binary: true, fin: true })
    peer.send('text')
    peer.send(Buffer.from('whole'))

    const messages = [await waiting, await inbox.next(), await inbox.next()]
    t.ok(messages.every(({ data }) => Buffer.isBuffer(data)))
    t.same(messages.map(String), ['in parts', 'text', 'whole'])
    t.same(messages.map(({ isBinary }) => isBinary), [true, false, true])
  })
}

t.test('rejects when no message comes in time, and keeps the one that comes afterwards', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(client, { timeout: 20 })

  await t.rejects(inbox.next(), { code: 'FST_WS_TESTING_TIMEOUT', message: 'no message arrived within 20 ms' })
  peer.send('late')
  await once(client, 'message')

  t.equal(String(await inbox.next()), 'late')
})

t.test('takes a time limit for one call, and shows in the stack who waited', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(client, { timeout: 60_000 })
  const patient = inbox.next({ timeout: Infinity })
  const hasty: Error = await inbox.next({ timeout: 10 }).catch(error => error)

  t.match(hasty, { code: 'FST_WS_TESTING_TIMEOUT', message: 'no message arrived within 10 ms' })
  t.match(hasty.stack, 'testing.test.ts')
  peer.send('for the patient one')
  t.equal(String(await patient), 'for the patient one')
})

t.test('gives all messages that came before the close, then rejects with its code and reason', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(client)

  peer.send('one')
  peer.send('two')
  peer.close(4500, 'went wrong')

  t.strictSame(await inbox.closed, { code: 4500, reason: 'went wrong' })
  t.equal(String(await inbox.next()), 'one')
  t.equal(String(await inbox.next()), 'two')
  const closed = { code: 'FST_WS_TESTING_CLOSED', message: 'the socket closed with code 4500 and reason "went wrong"', cause: undefined }
  await t.rejects(inbox.next(), closed)
  await t.rejects(inbox.next(), closed, 'and so does every later call')
})

t.test('rejects every next() that waits when the socket closes', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(client)
  const waiting = Promise.allSettled([inbox.next(), inbox.next({ timeout: Infinity })])

  peer.terminate()

  for (const result of await waiting) {
    t.match(result, { status: 'rejected', reason: { code: 'FST_WS_TESTING_CLOSED', message: /code 1006/ } })
  }
})

t.test('makes an error of the socket the cause, and the process lives', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(peer)

  // A frame without a mask: a server must refuse it (RFC 6455, section 5.1).
  Reflect.get(client, '_socket').write(frame('text', 'bare', { mask: false }))

  await t.rejects(inbox.next(), { code: 'FST_WS_TESTING_CLOSED', cause: { code: 'WS_ERR_EXPECTED_MASK' } })
  t.match(await inbox.closed, { code: Number, reason: String })
})

t.test('rejects with the refusal as the cause when the socket never opens', async t => {
  const { url } = await listen(t, { verifyClient: () => false })
  const inbox = readMessages(new WebSocket(url))

  await t.rejects(inbox.next(), { code: 'FST_WS_TESTING_CLOSED', cause: { message: 'Unexpected server response: 401' } })
})

t.test('refuses a socket that has closed already', async t => {
  const { client } = await connect(t)
  client.close()
  await once(client, 'close')

  t.throws(() => readMessages(client), { code: 'FST_WS_TESTING_TOO_LATE', message: 'the socket had closed before readMessages() was called' })
})

t.test('works on the socket of the server too', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(peer)

  client.send('hello')

  t.equal(String(await inbox.next()), 'hello')
})

for (const [code, name] of [[1000, '1000'], [1001, '1001'], [undefined, 'no code']] as const) {
  t.test(`ends a for await when the socket closes with ${name}`, async t => {
    const { client, peer } = await connect(t)
    const texts: string[] = []
    for (const text of ['one', 'two']) peer.send(text)
    peer.close(code)

    for await (const message of readMessages(client)) texts.push(String(message))

    t.same(texts, ['one', 'two'])
  })
}

t.test('makes a for await throw when the socket closes with an error code', async t => {
  const { client, peer } = await connect(t)
  const texts: string[] = []
  peer.send('one')
  peer.close(1011, 'broken')

  await t.rejects(async () => {
    for await (const message of readMessages(client)) texts.push(String(message))
  }, { code: 'FST_WS_TESTING_CLOSED', message: /1011.*broken/ })
  t.same(texts, ['one'])
})

t.test('makes a for await throw when a turn takes too long', async t => {
  const { client, peer } = await connect(t)
  const texts: string[] = []
  peer.send('one')

  await t.rejects(async () => {
    for await (const message of readMessages(client, { timeout: 200 })) texts.push(String(message))
  }, { code: 'FST_WS_TESTING_TIMEOUT' })
  t.same(texts, ['one'])
})

t.test('keeps what a for await that was left early has not read', async t => {
  const { client, peer } = await connect(t)
  const inbox = readMessages(client)
  const rest: Message[] = []
  for (const text of ['one', 'two', 'three', 'four']) peer.send(text)
  peer.close()
  await inbox.closed

  for await (const message of inbox) {
    if (String(message) === 'two') break
  }
  t.equal(String(await inbox.next()), 'three')
  for await (const message of inbox) rest.push(message)

  t.same(rest.map(String), ['four'])
})

t.test('stop() gives the socket back without a listener, and keeps what has arrived', async t => {
  const { client, peer } = await connect(t)
  const before = client.eventNames()
  const inbox = readMessages(client)
  peer.send('one')
  await once(client, 'message')

  inbox.stop()
  inbox.stop()

  t.same(client.eventNames(), before)
  t.equal(String(await inbox.next()), 'one')
  await t.rejects(inbox.next(), { code: 'FST_WS_TESTING_STOPPED', message: 'the inbox was stopped' })
})

t.test('stop() ends who waits', async t => {
  const { client } = await connect(t)
  const inbox = readMessages(client)
  const loop = (async () => {
    for await (const message of inbox) t.fail(`got ${message}`)
  })()
  const waiting = inbox.next()

  inbox.stop()

  await t.rejects(waiting, { code: 'FST_WS_TESTING_STOPPED' })
  await t.resolves(loop)
})

t.test('leaves no listener on a socket that closed', async t => {
  const { client, peer } = await connect(t)
  const before = client.eventNames()
  const inbox = readMessages(client)

  peer.close()
  await inbox.closed

  t.same(client.eventNames(), before)
})
