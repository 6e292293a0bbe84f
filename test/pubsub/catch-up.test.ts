import t from 'tap'
import { CatchUp } from '../../src/pubsub/catch-up'
import type { Member } from '../../src/pubsub/member'
import { Message } from '../../src/pubsub/message'

function create (): { catchUp: CatchUp, got: string[], message: (text: string) => Message } {
  const got: string[] = []
  const member = { write (message: Message) { got.push(String(message.data)) } } as Member
  return { catchUp: new CatchUp(member, '1-0'), got, message: text => new Message(text, false, undefined) }
}

t.test('gives what was missed, then what came meanwhile, then what comes', async t => {
  const { catchUp, got, message } = create()
  catchUp.give('1-1', message('old 1'))
  t.notOk(catchUp.hear('1-3', message('live 3')))
  t.notOk(catchUp.hear(undefined, message('local')))
  catchUp.give('1-2', message('old 2'))
  catchUp.give('1-3', message('live 3 of the history'))
  t.notOk(catchUp.hear('1-4', message('live 4')))
  t.same(got, ['old 1', 'old 2', 'live 3 of the history'])
  catchUp.goLive()
  catchUp.goLive()
  t.same(got.splice(0), ['old 1', 'old 2', 'live 3 of the history', 'local', 'live 4'])
  t.notOk(catchUp.hear('1-4', message('once more')))
  t.notOk(catchUp.hear(undefined, message('local')))
  t.ok(catchUp.hear('1-5', message('live 5')))
  t.same(got, ['local', 'live 5'])
})

t.test('what waits has an end', async t => {
  const { catchUp, message } = create()
  let closed: unknown[] = []
  Object.assign(catchUp.member, { socket: { readyState: 1, OPEN: 1, once () {}, terminate () {}, close: (...args: unknown[]) => { closed = args } } })
  for (let i = 1; i <= 16; i++) catchUp.hear(`2-${i}`, message('x'.repeat(1024 * 1024)))
  t.same(closed, [])
  catchUp.hear('2-17', message('x'))
  t.same(closed, [1013, 'slow consumer'])
})
