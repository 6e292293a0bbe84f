import t, { type Test } from 'tap'
import type { FastifyReply } from 'fastify'
import { headerLines } from '../src/reply-headers'
import { start, type Running } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'
import type { RawResponse } from './helpers/raw-client'

checkLeaksAtEnd(t)

interface Upgraded {
  running: Running;
  response: RawResponse;
}

/** The answer to an upgrade whose onRequest hook did `prepare`. */
async function upgrade (t: Test, prepare: (reply: FastifyReply) => void): Promise<Upgraded> {
  const running = await start(t, app => {
    app.addHook('onRequest', async (request, reply) => { prepare(reply) })
    app.get('/', { websocket: true }, () => {})
  })
  const client = await running.raw()
  return { running, response: await client.upgrade('/').readResponse() }
}

function valuesOf ({ rawHeaders }: RawResponse, name: string): string[] {
  return rawHeaders.flatMap(([each, value]) => each.toLowerCase() === name ? [value] : [])
}

// First, before it has found where they are kept.
t.test('asks a reply that keeps its headers in another way for all of them', async t => {
  t.same(headerLines({ getHeaders: () => ({ 'x-text': 'value' }) } as unknown as FastifyReply), ['x-text: value'])
})

t.test('sends the headers that hooks set along with the 101', async t => {
  const { response } = await upgrade(t, reply => {
    reply.header('X-Text', 'value').header('x-number', 7).header('x-empty', '')
    reply.raw.setHeader('X-Raw', 'set on the raw response')
  })

  t.equal(response.status, 101)
  t.match(response.headers, { 'x-text': 'value', 'x-number': '7', 'x-empty': '', 'x-raw': 'set on the raw response' })
})

t.test('sends those of the raw response also where they are the only ones', async t => {
  const { response } = await upgrade(t, reply => { reply.raw.setHeader('X-Raw', 'alone') })
  t.equal(response.headers['x-raw'], 'alone')
})

t.test('sends nothing of its own where no hook has set a header', async t => {
  const { response } = await upgrade(t, () => {})
  t.same(response.rawHeaders.map(([name]) => name.toLowerCase()), ['upgrade', 'connection', 'sec-websocket-accept'])
})

t.test('sends the headers of every hook before the 101', async t => {
  const running = await start(t, app => {
    for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
      app.addHook(hook, async (request: unknown, reply: FastifyReply) => { reply.header(`x-${hook}`, 'ran') })
    }
    app.get('/', { websocket: true }, () => {})
  })
  const client = await running.raw()
  const { headers } = await client.upgrade('/').readResponse()

  t.match(headers, { 'x-onrequest': 'ran', 'x-preparsing': 'ran', 'x-prevalidation': 'ran', 'x-prehandler': 'ran' })
})

t.test('sends each cookie, and each value of a list, on a line of its own', async t => {
  const { response } = await upgrade(t, reply => {
    reply.header('set-cookie', 'a=1; Path=/').header('set-cookie', 'b=2, 3').header('set-cookie', ['c=4', 'd=5'])
    reply.header('x-list', ['one', 'two'])
  })

  t.strictSame(valuesOf(response, 'set-cookie'), ['a=1; Path=/', 'b=2, 3', 'c=4', 'd=5'])
  t.strictSame(valuesOf(response, 'x-list'), ['one', 'two'])
})

t.test('leaves out what belongs to the connection, to a body or to the handshake', async t => {
  const { response } = await upgrade(t, reply => {
    reply.headers({
      connection: 'close',
      'keep-alive': 'timeout=5',
      'Proxy-Connection': 'close',
      te: 'trailers',
      trailer: 'x-end',
      'transfer-encoding': 'chunked',
      upgrade: 'h2c',
      'content-length': 5,
      'Content-Type': 'text/plain',
      'content-encoding': 'gzip',
      'sec-websocket-accept': 'forged',
      'sec-websocket-protocol': 'forged',
      'sec-websocket-extensions': 'permessage-deflate'
    })
  })

  t.strictSame(response.rawHeaders.map(([name]) => name), ['Upgrade', 'Connection', 'Sec-WebSocket-Accept'])
  t.match(response.headers, { upgrade: 'websocket', connection: 'Upgrade' })
  t.not(response.headers['sec-websocket-accept'], 'forged')
})

t.test('refuses the upgrade where a name or a value is none that HTTP allows, and sends nothing of it', async t => {
  const forgeries: Array<(reply: FastifyReply) => void> = [
    reply => { reply.header('x-forged', 'a\r\nSet-Cookie: admin=1') },
    reply => { reply.header('x-forged', 'a\nSet-Cookie: admin=1') },
    reply => { reply.header('set-cookie', ['fine=1', 'a\r\nSet-Cookie: admin=1']) },
    reply => { reply.header('x-forged\r\nset-cookie: admin=1', 'a') },
    reply => { reply.header('x forged', 'admin=1') },
    reply => { reply.header('x-forged', 'beyond latin1 → admin=1') }
  ]
  for (const forge of forgeries) {
    const { running, response } = await upgrade(t, forge)

    t.equal(response.status, 500)
    t.notMatch(JSON.stringify(response.rawHeaders) + response.body, /admin/)
    t.match(await running.logged(/Invalid character|must be a valid HTTP token/), { level: 50 })
  }
})

t.test('reaches the client of injectWS too', async t => {
  const { app } = await start(t, app => {
    app.addHook('onRequest', async (request, reply) => { reply.header('x-hook', 'ran') })
    app.get('/', { websocket: true }, () => {})
  })
  let seen: unknown

  const client = await app.injectWS('/', {}, { onInit (socket) { socket.on('upgrade', response => { seen = response.headers['x-hook'] }) } })
  client.terminate()

  t.equal(seen, 'ran')
})
