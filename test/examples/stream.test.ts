import t from 'tap'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { serve } from './serve'

checkLeaksAtEnd(t)

t.test('the stream example', async t => {
  const { build } = await import('../../examples/stream.mjs')

  t.test('shouts back each message, in order', async t => {
    const running = await serve(t, await build())
    const { socket, inbox } = await running.connect('/shout')
    for (const text of ['hello', 'grüße', 'bye']) socket.send(text)

    t.equal(String(await inbox.next()), 'HELLO!')
    t.equal(String(await inbox.next()), 'GRÜSSE!')
    t.equal(String(await inbox.next()), 'BYE!')
  })

  t.test('serves the next client when one has left', async t => {
    const running = await serve(t, await build())
    const first = await running.connect('/shout')
    first.socket.close(1000)
    t.equal((await first.inbox.closed).code, 1000)

    const second = await running.connect('/shout')
    second.socket.send('still here')
    t.equal(String(await second.inbox.next()), 'STILL HERE!')
  })
})
