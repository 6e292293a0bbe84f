import t from 'tap'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { serve } from './serve'

checkLeaksAtEnd(t)

t.test('the TypeBox example', async t => {
  const { build } = await import('../../examples/typebox.mjs')

  t.test('adds up, from the start that the address gives', async t => {
    const running = await serve(t, await build())
    const { socket, inbox } = await running.connect('/sum/EUR?start=100')

    socket.send('{"amount":25}')
    t.equal(String(await inbox.next()), '125.00 EUR')
    socket.send('{"amount":-0.5}')
    t.equal(String(await inbox.next()), '124.50 EUR')
  })

  t.test('starts from 0 where the address gives no start', async t => {
    const running = await serve(t, await build())
    const { socket, inbox } = await running.connect('/sum/USD')

    socket.send('{"amount":1}')
    t.equal(String(await inbox.next()), '1.00 USD')
  })

  for (const path of ['/sum/XXX', '/sum/EUR?start=much']) {
    t.test(`refuses ${path} with 400`, async t => {
      const running = await serve(t, await build())
      const client = await running.raw()

      t.equal((await client.upgrade(path).readResponse()).status, 400)
    })
  }

  for (const text of ['{"amount":"25"}', 'null', 'not JSON']) {
    t.test(`closes with 1008 on the message ${text}`, async t => {
      const running = await serve(t, await build())
      const { socket, inbox } = await running.connect('/sum/EUR')

      socket.send(text)
      t.same(await inbox.closed, { code: 1008, reason: 'Expected {"amount":<number>}' })
    })
  }
})
