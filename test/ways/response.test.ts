import t from 'tap'
import type { IncomingMessage } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { upgradeOf } from '../../src/upgrade'
import { start } from '../helpers/app'
import { deferred } from '../helpers/deferred'
import { assertServerHoldsNothing, checkLeaksAtEnd } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { frame } from '../helpers/raw-client'
import { assertRefusal } from '../helpers/refusal'
import { echo, refuseWith } from '../helpers/routes'

checkLeaksAtEnd(t)

t.test('says that the connection ends, whatever headers the answer is given', async t => {
  const forms: Record<string, unknown[]> = {
    '/headers': [401, { connection: 'keep-alive', 'x-form': 'yes' }],
    '/message': [401, 'No Entry', { Connection: 'Upgrade', 'x-form': 'yes' }],
    '/array': [401, ['Connection', 'keep-alive', 'x-form', 'yes']],
    '/none': [401, undefined]
  }
  const running = await start(t, app => {
    app.addHook('onRequest', (request, reply) => {
      reply.hijack()
      Reflect.apply(reply.raw.writeHead, reply.raw, forms[request.url] ?? [])
      reply.raw.end('no')
    })
    app.get('/*', { websocket: true }, () => {})
  })
  for (const path of Object.keys(forms)) {
    const [response] = await assertRefusal(t, running, { path, status: 401, body: 'no', close: false })
    t.equal(response?.headers['x-form'], path === '/none' ? undefined : 'yes')
  }
})

t.test('sends early hints without taking them for the answer', async t => {
  const running = await start(t, app => {
    app.addHook('onRequest', async (request, reply) => { reply.raw.writeEarlyHints({ link: '</x>; rel=preload' }) })
    echo(app)
  })
  const client = await running.raw()
  client.upgrade('/').write(frame('text', 'hello'))

  t.equal((await client.readResponse()).status, 103)
  t.equal((await client.readResponse()).status, 101)
  t.equal(String((await client.readFrame()).payload), 'hello')
})

async function * forever (): AsyncGenerator<string> {
  while (true) yield 'late'
}

const payloads: Record<string, () => unknown> = {
  'a text': () => 'too late',
  nothing: () => undefined,
  'a stream': () => Readable.from([Buffer.from('too '), Buffer.from('late')]),
  'a stream without end': () => Readable.from(forever())
}

for (const [what, payload] of Object.entries(payloads)) {
  t.test(`drops ${what} that the application was about to send when the plugin refused`, async t => {
    const released = deferred()
    const sending = deferred<IncomingMessage>()
    // With a logger, or where the reply is awaited, Fastify listens to the errors of the response itself.
    const running = await start(t, { fastify: { logger: false } }, app => {
      app.addHook('onRequest', (_request, reply, _done) => { reply.code(401).send(payload()) })
      app.addHook('onSend', (request, _reply, payload, done) => {
        sending.resolve(request.raw)
        released.promise.then(() => { setImmediate(done, null, payload) }, t.fail)
      })
      echo(app)
    })
    const client = await running.raw()
    client.upgrade('/')
    const rawRequest = await within(sending.promise, 'onSend')
    upgradeOf(rawRequest)?.refuse({ name: 'Error', statusCode: 503, code: 'CLOSING', message: 'closing' })
    t.match(await client.readResponse(), { status: 503, body: /CLOSING/ })
    released.resolve()

    t.equal((await client.readUntilClose()).length, 0)
    client.fin()
    await assertServerHoldsNothing(t, running.server)
  })
}

t.test('drops what the application writes to a response that the plugin has finished', async t => {
  const refused = deferred()
  const running = await start(t, { fastify: { logger: false } }, app => {
    app.addHook('onRequest', (request, reply, _done) => {
      reply.hijack()
      upgradeOf(request.raw)?.refuse({ name: 'Error', statusCode: 503, code: 'CLOSING', message: 'closing' })
      refused.promise.then(() => { reply.raw.write('late') }, t.fail)
    })
    echo(app)
  })
  const client = await running.raw()
  client.upgrade('/')
  t.equal((await client.readResponse()).status, 503)
  refused.resolve()

  t.equal((await client.readUntilClose()).length, 0)
  client.fin()
  await assertServerHoldsNothing(t, running.server)
})

t.test('cuts the connection where the application destroys the response', async t => {
  const running = await start(t, app => {
    app.addHook('onRequest', (request, reply) => {
      reply.hijack()
      reply.raw.destroy()
    })
    echo(app)
  })
  const client = await running.raw()
  client.upgrade('/')

  t.equal((await client.readUntilClose()).length, 0)
  await assertServerHoldsNothing(t, running.server)
})

t.test('drops an answer that is not complete when the client leaves, and ends its source', async t => {
  const body = new PassThrough()
  const running = await start(t, refuseWith(() => body))
  const client = await running.raw()
  client.upgrade('/')
  body.write('first ')
  await until(() => client.leftover.includes('first'), 'the first part')
  client.reset()

  await until(() => body.destroyed, 'the end of the source')
  await assertServerHoldsNothing(t, running.server)
})
