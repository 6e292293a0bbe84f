import fastify, { type FastifyInstance } from 'fastify'
import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import { createReadiness, type WhenReady } from '../src/ready'
import { deferred } from './helpers/deferred'
import { checkLeaksAtEnd } from './helpers/leaks'
import { within } from './helpers/limit'

checkLeaksAtEnd(t)

t.test('starts the application and waits for every onReady hook', async t => {
  const { app, seen, whenReady } = build()
  app.addHook('onReady', async () => { seen.push('late') })
  await whenReady()
  t.same(seen, ['early', 'late'])
  t.equal(whenReady(), undefined, 'then there is nothing to wait for')
  t.equal(whenReady(), undefined)
  await app.close()
})

t.test('there is nothing to wait for as soon as ready() has resolved, or listen()', async t => {
  for (const start of [(app: FastifyInstance) => app.ready(), (app: FastifyInstance) => app.listen({ port: 0, host: '127.0.0.1' })]) {
    const { app, whenReady } = build()
    await start(app)
    t.equal(whenReady(), undefined)
    await app.close()
  }
})

t.test('who asks while hooks run waits for the last of them', async t => {
  const { app, seen, whenReady } = build()
  const begun = deferred<void>()
  const proceed = deferred<void>()
  app.addHook('onReady', async () => {
    begun.resolve()
    await proceed.promise
  })
  app.addHook('onReady', async () => { seen.push('last') })
  app.ready()
  await begun.promise
  const ready = whenReady()
  proceed.resolve()
  await ready
  t.same(seen, ['early', 'last'])
  await app.close()
})

t.test('an onReady hook that asks does not wait for itself: of the same instance, of a scope, and late', async t => {
  const { app, seen, whenReady } = build()
  app.addHook('onReady', async () => { await ask('first') })
  app.addHook('onReady', done => {
    setImmediate(() => ask('with a callback').then(() => { done() }, done))
  })
  await app.register(async scope => {
    scope.addHook('onReady', async () => {
      await new Promise(resolve => setTimeout(resolve, 1))
      await ask('in a scope')
    })
  })
  await within(Promise.resolve(app.ready()), 'ready()')
  t.same(seen, ['early', 'first', 'with a callback', 'in a scope'])
  await app.close()

  async function ask (what: string): Promise<void> {
    await whenReady()
    seen.push(what)
  }
})

t.test('asked for on an instance of a scope, it is the whole application', async t => {
  const app = fastify()
  const seen: string[] = []
  app.addHook('onReady', async () => { seen.push('root') })
  const readiness: WhenReady[] = []
  await app.register(async scope => {
    await scope.register(async inner => {
      readiness.push(createReadiness(inner))
      inner.addHook('onReady', async () => { seen.push('inner') })
    })
    scope.addHook('onReady', async () => { seen.push('scope') })
  })
  await Promise.all([readiness[0]?.(), readiness[0]?.()])
  t.same(seen, ['root', 'scope', 'inner'])
  t.equal(readiness[0]?.(), undefined)
  await app.close()
})

t.test('an application that does not start rejects whoever asks, however often', async t => {
  const { app, whenReady } = build()
  app.addHook('onReady', async () => { throw new Error('no database') })
  await t.rejects(Promise.resolve(whenReady()), { message: 'no database' })
  await t.rejects(Promise.resolve(whenReady()), { message: 'no database' })
  await app.close()
})

t.test('an application that was started past its hooks, by ready() of a scope, does not hold anybody up', async t => {
  const app = fastify()
  const readiness: WhenReady[] = []
  let child: FastifyInstance | undefined
  app.register(async scope => {
    readiness.push(createReadiness(scope))
    child = scope
  })
  await app.after()
  await child?.ready()
  await within(Promise.resolve(readiness[0]?.()), 'ready')
  await app.close()
})

t.test('an error that somebody leaves to ready() after the start is nobody else\'s', async t => {
  const { app, whenReady } = build()
  let child: FastifyInstance | undefined
  await app.register(async scope => { child = scope })
  await app.ready()
  const left = deferred()
  child?.ready(async () => {
    left.resolve()
    throw new Error('left behind')
  })
  await left.promise
  await new Promise(resolve => setImmediate(resolve))
  t.equal(whenReady(), undefined)
  await new Promise(resolve => setImmediate(resolve))
  await app.close()
})

t.test('nothing asynchronous is followed once the application has started, or failed to', async t => {
  for (const outcome of ['started', 'failed']) {
    const disable = t.capture(AsyncLocalStorage.prototype, 'disable', AsyncLocalStorage.prototype.disable)
    const { app } = build()
    app.addHook('onReady', async () => { if (outcome === 'failed') throw new Error('failed') })
    await app.ready().then(() => {}, () => {})
    await new Promise(resolve => setImmediate(resolve))
    t.equal(disable().length, 1, outcome)
    disable.restore()
    await app.close()
  }
})

function build (): { app: FastifyInstance, seen: string[], whenReady: WhenReady } {
  const app = fastify()
  const seen: string[] = []
  app.addHook('onReady', async () => { seen.push('early') })
  return { app, seen, whenReady: createReadiness(app) }
}
