// What clients send to a route with schemas, by mistake or on purpose: the process lives, others are served, and memory has an end.
import t, { type Test } from 'tap'
import type { MessagesOptions } from '../../types/messages'
import type { Client, Running } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { until } from '../helpers/limit'
import { nextJson, say, schema, startMessages } from '../helpers/messages'
import { connectBy, flushed, transportOf, WAYS } from '../helpers/ways'

checkLeaksAtEnd(t)

/** An echo of what is said. */
async function serve (t: Test, options: MessagesOptions = {}, over?: Parameters<typeof transportOf>[0]): Promise<Running> {
  return await startMessages(t, { messages: options, over: transportOf(over ?? 'tcp') }, app => {
    app.addSchema({ $id: 'tree', type: 'array', items: { $ref: 'tree#' } })
    app.get('/', { websocket: true, schema }, async socket => {
      for await (const message of socket.messages()) await socket.sendMessage({ ...message as object, type: 'said' })
    })
    app.get('/tree', { websocket: true, schema: { messages: { receive: { $ref: 'tree#' } } }, onMessage () {} }, () => {})
  })
}

async function assertServes (t: Test, client: Client): Promise<void> {
  say(client, 'still here')
  t.same(await nextJson(client), { type: 'said', text: 'still here' })
}

const deep = '['.repeat(200_000) + ']'.repeat(200_000)
const refused: Array<[name: string, data: string | Buffer, code: number, reason: string, path?: string]> = [
  ['nothing', '', 1007, 'message is not JSON'],
  ['what is no JSON', '{"type":', 1007, 'message is not JSON'],
  ['a prototype', '{"type":"leave","__proto__":{"admin":true}}', 1007, 'message is not JSON'],
  ['a prototype by its constructor', '{"type":"leave","constructor":{"prototype":{"admin":true}}}', 1007, 'message is not JSON'],
  ['binary', Buffer.from('{"type":"leave"}'), 1003, 'message must be text'],
  ['an array', '[]', 1008, 'message must be object'],
  ['null', 'null', 1008, 'message must be object'],
  ['a type that does not exist', '{"type":"__proto__"}', 1008, 'message/type must be one of "say", "leave"'],
  ['a type that is none', '{"type":{"toString":1}}', 1008, 'message/type must be one of "say", "leave"'],
  ['a megabyte where there may be 20 characters', JSON.stringify({ type: 'say', text: 'x'.repeat(1024 * 1024) }), 1008, 'message/text must NOT have more than 20 characters'],
  ['what nests deeply', deep, 1008, 'message must be object'],
  ['what nests more deeply than its schema can be asked', deep, 1008, 'message Maximum call stack size exceeded', '/tree']
]

for (const [name, data, code, reason, path = '/'] of refused) {
  t.test(`${name} is refused with ${code}, and others are served`, async t => {
    const running = await serve(t)
    const [client, other] = [await running.connect(path), await running.connect()]
    client.socket.send(data)
    t.same(await client.inbox.closed, { code, reason })
    await assertServes(t, other)
  })
}

t.test('a property with a name of a prototype is a property', async t => {
  const running = await startMessages(t, { fastify: { onProtoPoisoning: 'ignore' } }, app => {
    app.get('/', { websocket: true, schema: { messages: {} } }, async socket => {
      for await (const message of socket.messages()) await socket.sendMessage(Object.keys(message as object))
    })
  })
  const client = await running.connect()
  client.socket.send('{"toString":1,"hasOwnProperty":2,"requestId":3}')
  t.same(await nextJson(client), ['toString', 'hasOwnProperty', 'requestId'])
  t.equal(Reflect.get({}, 'admin'), undefined)
})

for (const way of WAYS) {
  t.test(`an invalid message closes when it is its turn, over ${way}`, async t => {
    const gate = deferred()
    const running = await startMessages(t, { over: transportOf(way), messages: { maxBufferedAmount: 600 } }, app => {
      app.get('/', { websocket: true, schema }, async socket => {
        for await (const message of socket.messages()) {
          await gate.promise
          await socket.sendMessage({ ...message as object, type: 'said' })
        }
      })
    })
    const client = await connectBy(t, way, running)
    say(client, 'first')
    say(client, 'second')
    client.socket.send('{')
    for (let i = 0; i < 5; i++) say(client, 'behind it')
    const [served] = [...running.app.websocketServer.clients]
    await until(() => served?.isPaused, 'the pause')
    t.equal(served?.readyState, 1, 'nothing is refused while the reader is busy')
    gate.resolve(undefined)
    t.same(await nextJson(client), { type: 'said', text: 'first' })
    t.same(await nextJson(client), { type: 'said', text: 'second' })
    t.same(await client.inbox.closed, { code: 1007, reason: 'message is not JSON' })
  })
}

for (const invalid of ['drop', 'reply'] as const) {
  t.test(`10,000 invalid messages are one line in the log (${invalid}), and the connection goes on`, async t => {
    const running = await serve(t, { invalid })
    const client = await running.connect()
    for (let i = 0; i < 10_000; i++) client.socket.send('{"type":"sing"}')
    await flushed(client.socket)
    const replies = invalid === 'reply' ? 10_000 : 0
    for (let i = 0; i < replies; i++) await client.inbox.next()
    await assertServes(t, client)
    t.equal(running.log.filter(({ msg }) => msg === 'invalid websocket message').length, 1)
  })
}

t.test('a client that reads no replies to what is invalid is not read either', async t => {
  const running = await serve(t, { invalid: 'reply', maxBufferedAmount: 64 * 1024 })
  const client = await running.connect()
  client.socket.pause()
  const [served] = [...running.app.websocketServer.clients]
  let sent = 0
  while (served?.isPaused === false && sent < 1_000_000) {
    for (let i = 0; i < 1000; i++, sent++) client.socket.send('{}')
    await new Promise(resolve => { setImmediate(resolve) })
  }
  t.equal(served?.isPaused, true)
  t.ok(Number(served?.bufferedAmount) < 16 * 1024 * 1024, 'what waits for it has an end')
})

t.test('what the reader does not take has an end in bytes and in time', async t => {
  const gate = deferred()
  const running = await startMessages(t, { messages: { maxBufferedAmount: 10_000, grace: 50 } }, app => {
    app.get('/', { websocket: true, schema }, async socket => {
      for await (const message of socket.messages()) await gate.promise.then(() => message)
    })
  })
  const client = await running.connect()
  for (let i = 0; i < 100; i++) say(client, 'hello')
  t.same(await client.inbox.closed, { code: 1013, reason: 'unread messages' })
  t.match(await running.logged(/has not read in time/), { level: 40 })
  gate.resolve(undefined)
  await until(() => running.app.websocketServer.clients.size === 0, 'the end')
})

t.test('numbers that come as strings are numbers where the application coerces, and refused where it does not', async t => {
  const counted = { messages: { receive: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } } }
  for (const [coerceTypes, expected] of [[true, { n: 5 }], [false, { code: 1008, reason: 'message/n must be integer' }]] as const) {
    const running = await startMessages(t, { fastify: { ajv: { customOptions: { coerceTypes } } } }, app => {
      app.get('/', { websocket: true, schema: counted }, async socket => {
        for await (const message of socket.messages()) await socket.sendMessage(message)
      })
    })
    const client = await running.connect()
    client.socket.send('{"n":"5"}')
    t.same(coerceTypes ? await nextJson(client) : await client.inbox.closed, expected)
  }
})
