import t from 'tap'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { ended, run } from './program'
import { serve } from './serve'

checkLeaksAtEnd(t)

t.test('the test of the testing example passes under node --test', async t => {
  const { code, stdout } = await ended(run(t, ['--test', 'examples/testing/app.test.mjs']))

  t.equal(code, 0)
  t.match(stdout, /pass 2\n/)
})

t.test('the game of the testing example thinks of a number from 1 to 100', async t => {
  const { build } = await import('../../examples/testing/app.mjs')
  const running = await serve(t, await build())
  const { socket, inbox } = await running.connect('/guess?player=Ada')
  t.equal(String(await inbox.next()), 'Good luck, Ada.')

  socket.send('0')
  t.equal(String(await inbox.next()), 'higher')
  socket.send('101')
  t.equal(String(await inbox.next()), 'lower')
})
