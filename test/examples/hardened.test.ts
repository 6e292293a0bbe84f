// The hardened example against an attacker. What is told each time: how the attack ends, and that Ada is served all the while.
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { checkLeaksAtEnd } from '../helpers/leaks'
import type { Running } from '../helpers/app'
import { until } from '../helpers/limit'
import { frame, type RawClient } from '../helpers/raw-client'
import { serve } from './serve'

checkLeaksAtEnd(t)

const ADA = { authorization: 'Bearer ada-token' }
const BEN = { authorization: 'Bearer ben-token' }

t.test('a page of another site is refused, whatever its user may do', async t => {
  const { running, servesAda } = await attacked(t)
  t.equal((await answer(running, '/room', { ...BEN, origin: 'https://evil.example' })).status, 403)
  t.equal((await answer(running, '/room', { ...BEN, host: 'app.example', origin: 'http://app.example' })).status, 101)
  await servesAda()
})

t.test('who is nobody, or asks for something else, gets a clear answer', async t => {
  const { running, servesAda } = await attacked(t)
  t.equal((await answer(running, '/room', {})).status, 401)
  t.equal((await answer(running, '/nothing', BEN)).status, 404)
  const response = await fetch(running.url('/room'), { headers: BEN })
  t.equal(response.status, 426)
  t.equal(response.headers.get('upgrade'), 'websocket')
  await servesAda()
})

t.test('one user gets no more than ten connections, and one address no more than fifty', async t => {
  const { running, servesAda } = await attacked(t, { fastify: { trustProxy: true } })
  const one = await Promise.all(Array.from({ length: 12 }, (_, i) => answer(running, '/room', { ...BEN, 'x-forwarded-for': `10.0.0.${i}` })))
  t.equal(one.filter(({ status }) => status === 101).length, 10)
  t.same(one.filter(({ status }) => status !== 101).map(({ status }) => status), [429, 429])

  // Nobody whom the application knows: each is turned away by a hook, and has a place while it waits for that.
  const { running: other, servesAda: otherServesAda } = await attacked(t, { fastify: { trustProxy: true }, limits: { maxConnections: { perIp: 50 } } })
  const many = await Promise.all(Array.from({ length: 60 }, () => answer(other, '/room', { ...BEN, 'x-forwarded-for': '10.0.0.1' })))
  const refused = many.filter(({ status }) => status === 503)
  t.equal(many.filter(({ status }) => status === 101).length, 50)
  t.equal(refused.length, 10)
  t.ok(refused.every(({ headers }) => headers['retry-after'] === '10'))
  await servesAda()
  await otherServesAda()
})

t.test('a flood ends with 1008, a message too large with 1009, nonsense with 1007', async t => {
  const { running, servesAda } = await attacked(t)
  const attacks: Record<number, Buffer> = {
    1008: Buffer.concat(Array.from({ length: 1000 }, () => frame('text', '{"text":"spam"}'))),
    1009: frame('text', 'x'.repeat(16 * 1024 + 1)),
    1007: frame('text', '{"text":')
  }
  for (const [code, bytes] of Object.entries(attacks)) {
    const attacker = await enter(running)
    attacker.write(bytes)
    t.equal(await closeCode(attacker), Number(code))
    attacker.destroy()
    await servesAda()
  }
})

t.test('who reads nothing is cut, and nobody else notices', async t => {
  const limits = { slowConsumer: { maxBufferedAmount: 64 * 1024, grace: 50 }, messageRate: false, maxConnections: false }
  const { running, servesAda, ada } = await attacked(t, { limits })
  const attacker = await enter(running)
  attacker.pause()
  await until(() => running.app.websocketServer.clients.size === 2, 'both are there')
  ada.inbox.stop()
  await until(() => {
    for (let i = 0; i < 500; i++) ada.socket.send(JSON.stringify({ text: 'x'.repeat(1000) }))
    return running.app.websocketServer.clients.size === 1
  }, 'the attacker is cut')
  t.equal(ada.socket.readyState, ada.socket.OPEN)
  await servesAda()
})

t.test('a peer that has vanished is found', async t => {
  const { running, servesAda } = await attacked(t, { limits: { heartbeat: { interval: 200, timeout: 200 } } })
  const attacker = await enter(running)
  const pings = await attacker.readUntilClose()
  t.equal(pings[0], 0x89, 'it was asked for a sign, and gave none')
  await servesAda()
})

t.test('a token that ends takes its connection with it', async t => {
  const { running } = await attacked(t, { limits: { maxLifetime: 200 } })
  t.equal(await closeCode(await enter(running)), 1008)
})

t.test('a deploy ends in time, whoever is silent', async t => {
  const { running } = await attacked(t, { limits: { shutdown: { code: 1012, reason: 'restarting', timeout: 200 } } })
  const silent = await enter(running)
  const halfARequest = await running.raw()
  halfARequest.write('GET /room HTTP/1.1\r\nHost: x\r\n')
  await running.app.close()
  t.equal(await closeCode(silent), 1012)
})

interface Given {
  fastify?: object;
  limits?: object;
}

/** The example, with Ada in it. `limits` take the place of its own where a test would have to wait for those. */
async function attacked (t: Test, { fastify = {}, limits = {} }: Given = {}) {
  const { build } = await import('../../examples/hardened.mjs') as unknown as { build: (...args: object[]) => Promise<FastifyInstance> }
  const running = await serve(t, await build(fastify, limits))
  const ada = await enterAsAda()
  return { running, ada, servesAda }

  function enterAsAda () {
    return running.connect('/room', { headers: { ...ADA, 'x-forwarded-for': '10.1.1.1' } })
  }

  /** She comes in, and is heard. Fails where she is not. */
  async function servesAda (): Promise<void> {
    const { socket, inbox } = await enterAsAda()
    socket.send('{"text":"hello"}')
    // What an attack has left on its way may come first.
    while (String(await inbox.next()) !== 'Ada: hello');
    socket.close()
    await inbox.closed
  }
}

/** A client of Ben's that is in the room. */
async function enter (running: Running): Promise<RawClient> {
  const client = await running.raw()
  t.equal((await client.upgrade('/room', BEN).readResponse()).status, 101)
  return client
}

/** What an upgrade is answered. Its connection stays. */
async function answer (running: Running, path: string, headers: Record<string, string>) {
  const client = await running.raw()
  return await client.upgrade(path, headers).readResponse()
}

async function closeCode (client: RawClient): Promise<number> {
  while (true) {
    const { opcode, payload } = await client.readFrame()
    if (opcode === 8) return payload.readUInt16BE(0)
  }
}
