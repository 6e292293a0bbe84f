// A test that stops the clock: injectWS and readMessages go on, and the application's timers are the test's.
import { install } from '@sinonjs/fake-timers'
import fastify, { type FastifyInstance } from 'fastify'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import websocket from '../../src'
import { readMessages } from '../../src/extras/testing'
import { checkLeaksAtEnd } from '../helpers/leaks'

checkLeaksAtEnd(t)

interface Clock {
  tick (milliseconds: number): unknown;
  stop (): void;
}

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] as const

const CLOCKS: Record<string, () => Clock> = {
  // Where process.nextTick is replaced, Node's own streams stand still, and with them the reference's injectWS too.
  'everything but process.nextTick': () => sinon({ toNotFake: ['nextTick'] }),
  'the timers only': () => sinon({ toFake: [...TIMERS] }),
  'what vitest and jest take': () => sinon({ toNotFake: ['nextTick', 'queueMicrotask'] }),
  'node:test: setImmediate': () => node(['setInterval', 'setImmediate']),
  'node:test: everything': () => node(['setTimeout', 'setInterval', 'setImmediate', 'Date'])
}

for (const [name, start] of Object.entries(CLOCKS)) {
  t.test(`the clock is stopped (${name})`, async t => {
    t.test('injectWS opens, echoes, and closes from the client', async t => {
      const app = await build(t)
      await stopped(start, async () => {
        const socket = await app.injectWS('/echo')
        const inbox = readMessages(socket)
        socket.send('hello')
        t.equal(String(await inbox.next()), 'hello')
        socket.close(4001, 'bye')
        t.same(await inbox.closed, { code: 4001, reason: 'bye' })
      })
    })

    t.test('an interval of the handler runs when the test says so', async t => {
      const app = await build(t)
      await stopped(start, async clock => {
        const socket = await app.injectWS('/ticks')
        const inbox = readMessages(socket)
        clock.tick(2000)
        t.equal(String(await inbox.next()), 'tick')
        t.equal(String(await inbox.next()), 'tick')
        await t.rejects(inbox.next({ timeout: 5 }), { code: 'FST_WS_TESTING_TIMEOUT' }, 'which waits in real time')
        socket.terminate()
        await inbox.closed
      })
    })

    t.test('a refusal rejects, and so does an answer that does not come in time', async t => {
      const app = await build(t)
      await stopped(start, async () => {
        await t.rejects(app.injectWS('/refused'), { message: 'Unexpected server response: 401', body: 'no' })
        await t.rejects(app.injectWS('/silent', {}, { timeout: 5 }), { code: 'FST_WS_INJECT_TIMEOUT' })
      })
    })

    t.test('the application closes its clients', async t => {
      const app = await build(t)
      await stopped(start, async () => {
        const inbox = readMessages(await app.injectWS('/echo'))
        const closed = app.close()
        t.equal((await inbox.closed).code, 1005)
        await closed
      })
    })
  })
}

t.test('an application that is not ready is started while the clock of vitest is stopped', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  app.register(websocket)
  app.register(declare)
  await app.after()
  await stopped(() => sinon({ toNotFake: ['nextTick', 'queueMicrotask'] }), async () => {
    (await app.injectWS('/echo')).terminate()
  })
})

async function stopped (start: () => Clock, run: (clock: Clock) => Promise<void>): Promise<void> {
  const clock = start()
  try {
    await run(clock)
  } finally {
    clock.stop()
  }
}

function sinon (config: Parameters<typeof install>[0]): Clock {
  const clock = install(config)
  return { tick: milliseconds => clock.tick(milliseconds), stop: () => { clock.uninstall() } }
}

type Api = NonNullable<NonNullable<Parameters<typeof mock.timers.enable>[0]>['apis']>[number]

function node (apis: Api[]): Clock {
  mock.timers.enable({ apis })
  return { tick: milliseconds => { mock.timers.tick(milliseconds) }, stop: () => { mock.timers.reset() } }
}

async function build (t: Test): Promise<FastifyInstance> {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await declare(app)
  await app.ready()
  return app
}

async function declare (app: FastifyInstance): Promise<void> {
  app.get('/echo', { websocket: true }, socket => { socket.on('message', data => { socket.send(String(data)) }) })
  app.get('/ticks', { websocket: true }, socket => {
    const timer = setInterval(() => { socket.send('tick') }, 1000)
    socket.on('close', () => { clearInterval(timer) })
  })
  app.get('/refused', { websocket: true, preHandler: async (_request, reply) => await reply.code(401).send('no') }, () => {})
  app.get('/silent', { websocket: true, preHandler: () => {} }, () => {})
}
