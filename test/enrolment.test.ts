import t from 'tap'
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import type { Socket } from 'node:net'
import { Enrolment } from '../src/enrolment'
import { Http1Upgrade } from '../src/ways/http1-upgrade'
import { start } from './helpers/app'
import { checkLeaksAtEnd } from './helpers/leaks'
import { within } from './helpers/limit'
import { assertRefusal } from './helpers/refusal'
import { echo } from './helpers/routes'

checkLeaksAtEnd(t)

t.test('answers 503 to an upgrade that waits, or arrives, while the application closes', async t => {
  let go = (): void => {}
  const release = new Promise<void>(resolve => { go = resolve })
  const running = await start(t, app => {
    declare(app)
    app.get('/waits', { websocket: true, onRequest: async request => { await once(request.signal, 'abort') } }, () => {})
    app.addHook('preClose', async () => { await within(release, 'the release') })
  })
  const [waiting, late] = [await running.raw(), await running.raw()]
  waiting.upgrade('/waits')
  await running.logged('incoming request')
  const closed = running.app.close()
  t.match(await waiting.readResponse(), { status: 503, body: /FST_WS_CLOSING/, headers: { connection: 'close' } })
  t.match(await late.upgrade('/echo').readResponse(), { status: 503, body: /FST_WS_CLOSING/, headers: { connection: 'close' } })
  go()

  await t.resolves(within(closed, 'app.close()'))
})

t.test('answers 500, logs and lives where the router throws', async t => {
  const running = await start(t, { fastify: { rewriteUrl: () => { throw new Error('thrown by rewriteUrl') } } }, declare)
  await assertRefusal(t, running, { path: '/echo', status: 500, body: /FST_WS_HANDSHAKE_FAILED/, close: false })

  t.match(await running.logged('websocket upgrade failed'), { err: { message: 'thrown by rewriteUrl' } })
})

t.test('leaves an upgrade to the others, and logs, when shouldHandle throws', async t => {
  const running = await start(t, { websocket: { shouldHandle: () => { throw new Error('undecided') } } }, app => {
    app.server.on('upgrade', (request, socket) => { setImmediate(() => { socket.end('theirs') }) })
    declare(app)
  })
  const client = await running.raw()
  client.upgrade('/echo')

  t.equal(String(await client.readUntilClose()), 'theirs')
  t.match(await running.logged('undecided'), { level: 50 })
})

t.test('asks its gates in turn before anything is routed', async t => {
  const running = await start(t, declare)
  const seen: string[] = []
  const enrolment = new Enrolment(running.app, 1000, () => true)
  const refused = { statusCode: 429, code: 'TOO_MANY', name: 'Error', message: 'slow down' }
  enrolment.gates.push(() => { seen.push('first'); return undefined }, () => { seen.push('second'); return refused }, () => { seen.push('third'); return undefined })
  running.server.removeAllListeners('upgrade')
  running.server.on('upgrade', (rawRequest, rawSocket, head) => { enrolment.receive(new Http1Upgrade(rawRequest, rawSocket as Socket, head, enrolment)) })
  await assertRefusal(t, running, { path: '/echo', status: 429, body: /TOO_MANY/, clients: 1 })

  t.same(seen, ['first', 'second'])
})

function declare (app: FastifyInstance): void {
  echo(app, '/echo')
}
