import t, { type Test } from 'tap'
import type { Client, Running } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { serve } from './serve'

checkLeaksAtEnd(t)

t.test('the example of messages', async t => {
  t.test('asks who comes in for a name, and tells those who are in what happens', async t => {
    const running = await open(t)
    const ada = await enter(running, 'Ada')
    const grace = await enter(running, 'Grace')
    t.same(await heard(ada), { type: 'came', name: 'Grace' })
    say(grace, { type: 'say', text: 'hello', loud: true })
    for (const person of [ada, grace]) t.same(await heard(person), { type: 'said', name: 'Grace', text: 'hello' })
    say(grace, { type: 'leave' })
    t.same(await grace.inbox.closed, { code: 1000, reason: 'Bye' })
    t.same(await heard(ada), { type: 'left', name: 'Grace' })
  })

  t.test('keeps rooms apart', async t => {
    const running = await open(t)
    const ada = await enter(running, 'Ada', '/room/1')
    const grace = await enter(running, 'Grace', '/room/2')
    say(grace, { type: 'say', text: 'hello' })
    await heard(grace)
    say(ada, { type: 'say', text: 'alone' })
    t.match(await heard(ada), { text: 'alone' })
  })

  t.test('replies to who asks how many they are', async t => {
    const running = await open(t)
    const ada = await enter(running, 'Ada')
    say(ada, { type: 'count', requestId: 'a' })
    t.same(await heard(ada), { type: 'counted', people: 1, replyTo: 'a' })
    say(ada, { type: 'count' })
    say(ada, { type: 'count', requestId: 'b' })
    t.same(await heard(ada), { type: 'counted', people: 1, replyTo: 'b' }, 'who did not ask for a reply got none')
  })

  t.test('closes on who replies with something else than a name', async t => {
    const running = await open(t)
    for (const answer of [{ type: 'count' }, { type: 'name', name: '' }]) {
      const client = await running.connect('/room/1')
      const { requestId } = await heard(client)
      say(client, { ...answer, replyTo: requestId })
      t.same(await client.inbox.closed, { code: 1008, reason: 'No name' })
    }
  })

  for (const [what, message, rule] of [
    ['a text that is empty', { type: 'say', text: '' }, 'message/text must NOT have fewer than 1 characters'],
    ['a type that it does not know', { type: 'shout', text: 'x' }, 'message/type must be one of "name", "say", "count", "leave"']
  ] as const) {
    t.test(`closes on ${what}, and says why`, async t => {
      const running = await open(t)
      const ada = await enter(running, 'Ada')
      say(ada, message)
      t.same(await ada.inbox.closed, { code: 1008, reason: rule })
    })
  }
})

async function open (t: Test): Promise<Running> {
  const { build } = await import('../../examples/messages.mjs')
  return await serve(t, await build())
}

async function enter (running: Running, name: string, path = '/room/kitchen'): Promise<Client> {
  const person = await running.connect(path)
  const { requestId } = await heard(person)
  say(person, { type: 'name', name, replyTo: requestId })
  await heard(person)
  return person
}

function say ({ socket }: Client, message: object): void {
  socket.send(JSON.stringify(message))
}

async function heard ({ inbox }: Client): Promise<{ type: string, requestId?: string }> {
  return (await inbox.next()).json()
}
