// What clients do in the soak: one function for each kind of visit. It fails where the server does not do its part.

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { Client, frame, LIMIT, request, upgrade } from './client.mjs'
import { http2Visits } from './http2-visits.mjs'

const TEXT = 0x81
const BINARY = 0x82
const CLOSE = 0x88
const LEAVES = ['fin', 'reset', 'destroy']

/** Each is given { ports, pick, command }: pick(list) is one of a list, command(name) asks the server's process. */
export const visits = {
  ...http2Visits,

  async 'a proper client' ({ ports, pick }) {
    const socket = await open(ports.main, pick(['/echo', '/async', '/once', '/hook/delays', '/verify/late', '/params/1']))
    for (const payload of ['hello', 'x'.repeat(5000)]) await expectEcho(socket, payload)
    socket.close(1000)
    await soon(once(socket, 'close'), 'the end of a closing handshake')
  },

  async 'terminate in the middle' ({ ports, pick }) {
    const socket = await open(pick([ports.main, ports.failing]), pick(['/echo', '/async', '/floods', '/terminates']))
    socket.send('hello')
    if (pick([true, false])) await sleep(5)
    socket.terminate()
  },

  'early messages': raw(async (client, { pick }) => {
    client.write(upgrade(pick(['/async', '/once', '/hook/delays', '/verify/late'])), frame(TEXT, 'first'), frame(BINARY, 'second'), frame(0x89, 'ping'), frame(TEXT, 'third'))
    await client.expectStatus(101)
    for (const expected of ['first', 'second', 'third']) await client.expectBytes(expected)
  }),

  'a flood of early messages': raw(async (client, { pick }) => {
    client.write(upgrade(pick(['/never', '/deaf', '/async', '/hook/delays'])))
    for (let i = 0; i < 30; i++) client.write(frame(BINARY, Buffer.alloc(60_000)))
    await client.expectStatus(101)
    client.socket.pause()
    await sleep(pick([0, 30, 200]))
  }, ['reset', 'destroy']),

  'a hook that replies': raw(refusedWith(401, '/hook/replies')),
  'a hook that throws': raw(refusedWith(500, '/hook/throws')),
  'no such route': raw(refusedWith(404, '/nowhere')),
  'bad encoding': raw(refusedWith(400, '/params/%zz')),
  'a long parameter': raw(refusedWith(414, `/params/${'x'.repeat(200)}`)),
  'a large refusal': raw(refusedWith(403, '/hook/large')),
  'verifyClient says no': raw(refusedWith(401, '/verify/no')),
  'verifyClient throws': raw(refusedWith(500, '/verify/throws')),
  'verifyClient rejects': raw(refusedWith(500, '/verify/rejects')),
  'verifyClient is silent': raw(refusedWith(503, '/verify/silent')),

  'a refusal that nobody reads': raw(async (client, { pick }) => {
    client.socket.pause()
    client.write(upgrade('/hook/large'))
    await sleep(pick([0, 30, 2000]))
  }, ['reset', 'destroy']),

  'leaving while a hook runs': raw(async (client, { pick }) => {
    client.write(upgrade(pick(['/hook/delays', '/hook/waits', '/verify/late', '/verify/silent'])))
    await sleep(pick([0, 3, 10]))
  }),

  'leaving in the middle of a request': raw(async (client, { pick }) => {
    const bytes = upgrade(pick(['/echo', '/async', '/nowhere'])) + frame(TEXT, 'hello').toString('latin1')
    client.write(Buffer.from(bytes, 'latin1').subarray(0, pick([0, 1, 20, 100, bytes.length - 12, bytes.length - 3])))
    await sleep(pick([0, 3]))
  }),

  'a handler that fails': raw(async (client, { pick }) => {
    client.write(upgrade(pick(['/throws', '/rejects'])), frame(TEXT, 'hello'))
    await client.expectStatus(101)
    await client.expectEnd()
  }),

  'an errorHandler that fails': raw(async (client, { pick }) => {
    client.write(upgrade(pick(['/throws', '/rejects'])))
    await client.expectStatus(101)
    await client.expectEnd()
  }, LEAVES, 'failing'),

  'an invalid frame': raw(async (client, { pick }) => {
    client.write(upgrade(pick(['/echo', '/async', '/once', '/never'])), invalidFrame(pick))
    await client.expectStatus(101)
    await client.expectEnd()
  }),

  'an invalid frame and an errorHandler that fails': raw(async (client, { pick }) => {
    client.write(upgrade('/echo'), invalidFrame(pick))
    await client.expectStatus(101)
    await client.expectEnd()
  }, LEAVES, 'failing'),

  'a close in the middle': raw(async (client, { pick }) => {
    const rest = pick([[], [frame(0x01, 'begun')], [frame(TEXT, 'after the close')]])
    client.write(upgrade(pick(['/echo', '/async', '/closes', '/hook/delays'])), frame(TEXT, 'hello'), frame(CLOSE, [3, 232]), ...rest)
    await client.expectStatus(101)
    await client.expectEnd()
  }),

  'a reader who stops': raw(async (client, { pick }) => {
    client.socket.pause()
    client.write(upgrade('/floods'))
    await sleep(pick([5, 50, 300]))
  }, ['reset', 'destroy']),

  'another protocol': raw(async (client, { pick }) => {
    const headers = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAARAAAAAAAIAAAAA' }
    const size = pick([0, 10, 100_000])
    client.write(request('GET', '/plain', headers))
    await client.expectStatus(200)
    client.write(request('POST', '/upload', { ...headers, 'Content-Type': 'text/x', 'Content-Length': size }, 'x'.repeat(size)))
    await client.expectStatus(200)
    client.write(upgrade('/echo'), frame(TEXT, 'hello'))
    await client.expectStatus(101)
    await client.expectBytes('hello')
  }),

  'an upgrade behind other requests': raw(async (client, { pick }) => {
    client.write(request('GET', '/slow'), request('GET', pick(['/slow', '/plain'])), upgrade(pick(['/echo', '/async'])), frame(TEXT, 'hello'))
    for (const status of [200, 200, 101]) await client.expectStatus(status)
    await client.expectBytes('hello')
  }),

  'leaving with requests in front': raw(async (client, { pick }) => {
    client.write(request('GET', '/slow'), upgrade(pick(['/echo', '/nowhere'])))
    await sleep(pick([0, 5, 25]))
  }),

  // Whoever comes too late is not answered, or refused with 503. Whoever is in stays for a while, or to the end.
  'an application that closes': raw(async (client, { pick }) => {
    client.write(upgrade('/echo'))
    await pick([async () => await sleep(30), async () => await sleep(300), async () => await client.expectEnd()])()
  }, LEAVES, 'brief', true),

  async 'a client in memory' ({ command }) {
    const { echoed, error } = await soon(command('inject'), 'a client in memory')
    if (echoed !== 'hello') throw new Error(`echo ${echoed}, ${error}`)
  }
}

/** A visit by a raw client, which leaves in one of these ways. */
function raw (visit, leaves = LEAVES, server = 'main', mayFailToConnect = false) {
  return async function visitRaw (context) {
    const client = await Client.connect(context.ports[server]).catch(error => { if (!mayFailToConnect) throw error })
    if (client === undefined) return
    try {
      await visit(client, context)
      await client.leave(context.pick(leaves))
    } finally {
      client.socket.destroy()
    }
  }
}

function refusedWith (status, path) {
  return async client => {
    client.write(upgrade(path))
    await client.expectStatus(status)
  }
}

function invalidFrame (pick) {
  return pick([
    frame(TEXT, [0xff, 0xfe]),
    frame(TEXT, 'not masked', false),
    frame(0xf1, 'reserved bits'),
    frame(0x83, 'no such opcode'),
    frame(0x80, 'continues nothing'),
    frame(0x09, 'a ping in parts'),
    frame(CLOSE, [0]),
    frame(CLOSE, [3, 237]),
    frame(BINARY, Buffer.alloc(300_000))
  ])
}

async function open (port, path) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  socket.on('error', () => {})
  await soon(once(socket, 'open'), `open on ${path}`).catch(error => {
    socket.terminate()
    throw error
  })
  return socket
}

async function expectEcho (socket, payload) {
  const echoed = once(socket, 'message')
  socket.send(payload)
  const [data] = await soon(echoed, 'an echo')
  if (String(data) !== payload) throw new Error('the echo is another one')
}

async function soon (promise, what) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`${what}: not within ${LIMIT} ms`)) }, LIMIT)
  })
  return await Promise.race([promise, late]).finally(() => { clearTimeout(timer) })
}
