import t from 'tap'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { serve } from './serve'

checkLeaksAtEnd(t)

t.test('the example for HTTP and websocket', async t => {
  const { build } = await import('../../examples/http-and-websocket.cjs')

  t.test('answers a plain GET with the score', async t => {
    const running = await serve(t, await build())
    const response = await fetch(running.url('/score'), { headers: { connection: 'close' } })

    t.same(await response.json(), { home: 0, guests: 0 })
  })

  t.test('sends the score to every websocket at once, and again when it changes', async t => {
    const running = await serve(t, await build())
    const watchers = [await running.connect('/score'), await running.connect('/score')]
    for (const { inbox } of watchers) t.same((await inbox.next()).json(), { home: 0, guests: 0 })

    await running.app.inject({ method: 'POST', url: '/score/home' })
    for (const { inbox } of watchers) t.same((await inbox.next()).json(), { home: 1, guests: 0 })
  })

  t.test('goes on for those who stay', async t => {
    const running = await serve(t, await build())
    const [gone, stays] = [await running.connect('/score'), await running.connect('/score')]
    await stays.inbox.next()
    gone.socket.close()
    await gone.inbox.closed

    await running.app.inject({ method: 'POST', url: '/score/guests' })
    t.same((await stays.inbox.next()).json(), { home: 0, guests: 1 })
  })

  t.test('knows two sides, and no third', async t => {
    const app = await build()
    t.teardown(() => app.close())

    t.equal((await app.inject({ method: 'POST', url: '/score/guests' })).statusCode, 200)
    t.equal((await app.inject({ method: 'POST', url: '/score/__proto__' })).statusCode, 404)
  })
})
