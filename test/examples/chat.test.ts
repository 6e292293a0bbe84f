import { once } from 'node:events'
import * as net from 'node:net'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { Client, Running } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { readMessages } from '../../src/extras/testing'
import { ended, run, startChat } from './program'
import { serve } from './serve'

checkLeaksAtEnd(t)

const PROGRAM = ['examples/chat/server.mjs']
const UNKNOWN = { type: 'error', text: 'That is not a message this chat knows.' }
const BAD_NAME = { type: 'error', text: 'A name has 1 to 24 characters.' }
const BAD_TEXT = { type: 'error', text: 'A message has 1 to 500 characters.' }

t.test('the page of the chat is HTML, and needs nothing from elsewhere', async t => {
  const running = await open(t)
  const response = await running.app.inject('/')

  t.equal(response.statusCode, 200)
  t.equal(response.headers['content-type'], 'text/html; charset=utf-8')
  t.notMatch(response.body, /(src|href)="(?!data:)/)
})

t.test('who joins the chat', async t => {
  t.test('is welcomed and told who is in', async t => {
    const running = await open(t)

    const ada = await running.connect('/chat')
    say(ada, { type: 'join', name: 'Ada' })
    t.same(await heard(ada), { type: 'welcome', name: 'Ada', people: ['Ada'] })

    const grace = await running.connect('/chat')
    say(grace, { type: 'join', name: 'Grace' })
    t.same(await heard(grace), { type: 'welcome', name: 'Grace', people: ['Ada', 'Grace'] })
  })

  t.test('is announced to the others, and so is who leaves, in whatever way', async t => {
    const running = await open(t)
    const ada = await join(running, 'Ada')

    const grace = await join(running, 'Grace')
    t.same(await heard(ada), { type: 'joined', name: 'Grace', people: ['Ada', 'Grace'] })
    grace.socket.close()
    t.same(await heard(ada), { type: 'left', name: 'Grace', people: ['Ada'] })

    const alan = await join(running, 'Alan')
    t.same(await heard(ada), { type: 'joined', name: 'Alan', people: ['Ada', 'Alan'] })
    alan.socket.terminate()
    t.same(await heard(ada), { type: 'left', name: 'Alan', people: ['Ada'] })
  })

  t.test('gets a number where the name is taken, and the name itself once it is free', async t => {
    const running = await open(t)
    const ada = await join(running, 'Ada')

    for (const expected of ['ada 2', 'ada 3']) {
      const other = await running.connect('/chat')
      say(other, { type: 'join', name: 'ada' })
      t.match(await heard(other), { type: 'welcome', name: expected })
    }

    ada.socket.close()
    await ada.inbox.closed
    const again = await running.connect('/chat')
    say(again, { type: 'join', name: 'Ada' })
    t.match(await heard(again), { type: 'welcome', name: 'Ada' })
  })

  t.test('has one name only', async t => {
    const running = await open(t)
    const ada = await join(running, 'Ada')

    say(ada, { type: 'join', name: 'Grace' })
    t.same(await heard(ada), { type: 'error', text: 'You are in already, as Ada.' })
  })

  t.test('has a name without spaces around it or runs of them in it', async t => {
    const running = await open(t)
    const ada = await running.connect('/chat')

    say(ada, { type: 'join', name: '  Ada \n\t Lovelace ' })
    t.match(await heard(ada), { name: 'Ada Lovelace' })
  })
})

t.test('what one says reaches everybody who is in, with name and time', async t => {
  const running = await open(t)
  const ada = await join(running, 'Ada')
  const grace = await join(running, 'Grace')
  await heard(ada)

  const before = Date.now()
  say(ada, { type: 'say', text: '<b>Hello</b> 👋' })
  for (const person of [ada, grace]) {
    const { at, id, ...message } = await heard(person)
    t.same(message, { type: 'said', name: 'Ada', text: '<b>Hello</b> 👋' })
    t.match(id, /^\d+-\d+$/)
    t.ok(at >= before && at <= Date.now())
  }
})

t.test('who comes back gets what was said behind the message it names, and who names none does not', async t => {
  const running = await open(t)
  const ada = await join(running, 'Ada')
  const ids: string[] = []
  for (const text of ['1', '2', '3']) {
    say(ada, { type: 'say', text })
    ids.push(String((await heard(ada)).id))
  }
  for (const [after, texts] of [[ids[0], ['2', '3']], ['0', ['1', '2', '3']], [undefined, []], ['nonsense', []]] as const) {
    const back = await running.connect('/chat')
    say(back, { type: 'join', name: 'Grace', after })
    t.match(await heard(back), { type: 'welcome' })
    for (const text of texts) t.match(await heard(back), { type: 'said', text })
    say(back, { type: 'join', name: 'again' })
    t.match(await heard(back), { type: 'error' })
    back.socket.close()
  }
})

t.test('who has not joined neither speaks nor hears', async t => {
  const running = await open(t)
  const ada = await join(running, 'Ada')
  const stranger = await running.connect('/chat')

  say(stranger, { type: 'say', text: 'Hello?' })
  t.same(await heard(stranger), { type: 'error', text: 'Say who you are first.' })

  say(ada, { type: 'say', text: 'Alone here.' })
  t.match(await heard(ada), { text: 'Alone here.' })
  say(stranger, { type: 'join', name: 'Grace' })
  t.match(await heard(stranger), { type: 'welcome' })
})

t.test('bad input to the chat', async t => {
  const answered: Array<[input: string, answer: object]> = [
    ['', UNKNOWN],
    ['hello', UNKNOWN],
    ['{"type":"say","text":', UNKNOWN],
    ['null', UNKNOWN],
    ['7', UNKNOWN],
    ['["say","hello"]', UNKNOWN],
    ['{"text":"hello"}', UNKNOWN],
    ['{"type":"constructor"}', UNKNOWN],
    ['{"type":["say"],"text":"hello"}', UNKNOWN],
    ['{"type":"say"}', BAD_TEXT],
    ['{"type":"say","text":{"length":1}}', BAD_TEXT],
    ['{"type":"say","text":7}', BAD_TEXT],
    ['{"type":"join","name":"Ada","after":7}', UNKNOWN],
    ['{"type":"say","text":" \\n\\u200b"}', BAD_TEXT],
    [JSON.stringify({ type: 'say', text: 'x'.repeat(501) }), BAD_TEXT]
  ]
  for (const [input, answer] of answered) {
    t.test(`is answered with an error and reaches nobody: ${input.slice(0, 40)}`, async t => {
      const running = await open(t)
      const ada = await join(running, 'Ada')
      const grace = await join(running, 'Grace')
      await heard(ada)

      ada.socket.send(input)
      t.same(await heard(ada), answer)
      say(ada, { type: 'say', text: 'x'.repeat(500) })
      t.match(await heard(grace), { type: 'said', text: 'x'.repeat(500) })
    })
  }

  const names = {
    'no name': undefined,
    'a number': 7,
    'a list': ['Ada'],
    'an empty name': '',
    'a name of spaces': '   ',
    'a name that nobody can see': '\u200b',
    'a name of 25 characters': 'x'.repeat(25)
  }
  for (const [what, name] of Object.entries(names)) {
    t.test(`${what} is answered with an error, and another name is taken`, async t => {
      const running = await open(t)
      const ada = await running.connect('/chat')

      say(ada, { type: 'join', name })
      t.same(await heard(ada), BAD_NAME)
      say(ada, { type: 'join', name: 'x'.repeat(24) })
      t.match(await heard(ada), { type: 'welcome', people: ['x'.repeat(24)] })
    })
  }

  const closed: Array<[what: string, code: number, send: (socket: WebSocket) => void]> = [
    ['a binary message', 1003, socket => socket.send(Buffer.from('{"type":"say","text":"hello"}'))],
    ['text that is not UTF-8', 1007, socket => socket.send(Buffer.of(0xff), { binary: false })],
    ['a message of more than 4 KiB', 1009, socket => socket.send(JSON.stringify({ type: 'say', text: 'x'.repeat(4096) }))]
  ]
  for (const [what, code, send] of closed) {
    t.test(`${what} closes its connection with ${code}, and no other`, async t => {
      const running = await open(t)
      const ada = await join(running, 'Ada')
      const grace = await join(running, 'Grace')

      send(grace.socket)
      t.equal((await grace.inbox.closed).code, code)
      t.match(await heard(ada), { type: 'joined' })
      t.same(await heard(ada), { type: 'left', name: 'Grace', people: ['Ada'] })
    })
  }
})

t.test('the program', async t => {
  t.test('prints one line with its address, and is there', async t => {
    const program = await startChat(t, '0')
    const { url } = program

    t.match(await (await fetch(url, { headers: { connection: 'close' } })).text(), /<title>Chat<\/title>/)
    program.child.kill('SIGTERM')
    const { stdout, stderr } = await ended(program)
    t.equal(stdout, `The chat is on ${url.origin}\n`)
    t.equal(stderr, '')
  })

  for (const PORT of ['chat', '-1', '65536', '30.5', '0x10']) {
    t.test(`says in one line that ${PORT} is no port, and exits with 1`, async t => {
      const result = await ended(run(t, PROGRAM, { PORT }))

      t.same(result, { code: 1, signal: null, stdout: '', stderr: `PORT is a number from 0 to 65535, not "${PORT}".\n` })
    })
  }

  t.test('says in one line that its port is taken, and exits with 1', async t => {
    const other = net.createServer().listen(0, 'localhost')
    await once(other, 'listening')
    t.teardown(() => other.close())
    const { port } = other.address() as net.AddressInfo

    const result = await ended(run(t, PROGRAM, { PORT: String(port) }))
    t.same(result, { code: 1, signal: null, stdout: '', stderr: `Port ${port} is taken. PORT=0 npm start picks a free one.\n` })
  })

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    t.test(`closes on ${signal}: clients get their close frame, and it exits with 0`, async t => {
      const program = await startChat(t, '0')
      const { url } = program
      const socket = new WebSocket(new URL('/chat', url))
      const inbox = readMessages(socket)
      await once(socket, 'open')
      const spare = net.connect({ port: Number(url.port), host: url.hostname })
      await once(spare, 'connect')

      program.child.kill(signal)
      program.child.kill(signal)
      t.equal((await inbox.closed).code, 1005, 'a close frame came')
      t.match(await ended(program), { code: 0, signal: null, stderr: '' })
      spare.destroy()
    })
  }
})

async function open (t: Test): Promise<Running> {
  const { build } = await import('../../examples/chat/app.mjs')
  return await serve(t, await build())
}

async function join (running: Running, name: string): Promise<Client> {
  const person = await running.connect('/chat')
  say(person, { type: 'join', name })
  await heard(person)
  return person
}

function say (person: Client, message: object): void {
  person.socket.send(JSON.stringify(message))
}

async function heard (person: Client): Promise<{ type: string, at: number, id?: string }> {
  return (await person.inbox.next()).json()
}
