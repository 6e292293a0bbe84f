import t from 'tap'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { serve } from './serve'

checkLeaksAtEnd(t)

t.test('the echo example sends back text as text and bytes as bytes', async t => {
  const { build } = await import('../../examples/echo.mjs')
  const running = await serve(t, await build())
  const { socket, inbox } = await running.connect('/echo')

  socket.send('grüße')
  const text = await inbox.next()
  t.equal(text.isBinary, false)
  t.equal(String(text), 'grüße')

  socket.send(Buffer.of(0, 255))
  const bytes = await inbox.next()
  t.equal(bytes.isBinary, true)
  t.same(bytes.data, Buffer.of(0, 255))
})
