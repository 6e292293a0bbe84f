// Bun and Deno, with Node as the control: the checks of suite.mjs, which each of them runs, the examples, and a service
// that is told to end. What does not hold is a row of the README's table, and every row has to be true.
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { readMessages } from '../../src/extras/testing'
import type { MessageInbox } from '../../types/testing'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, within } from '../helpers/limit'
import { connectRaw } from '../helpers/raw-client'
import { installFolder, Program, type Runtime, RUNTIMES, versionOf } from './runtime'
import { holds, readTable } from './table'

checkLeaksAtEnd(t)
t.setTimeout(24 * LIMIT)

interface Check {
  name: string;
  /** What was wrong; none where the check holds. */
  error?: string;
}

const table = readTable()

t.test('where it runs', async t => {
  const folder = await installFolder(t)
  let known: string[]

  for (const [column, runtime] of RUNTIMES.entries()) {
    await t.test(`${runtime.name} keeps the promises that the table says it keeps`, async t => {
      const version = await versionOf(runtime)
      const named = table.head[column]?.split(/[ ,]+/) ?? []
      t.ok(named.includes(runtime.name) && named.some(word => version.startsWith(`${word}.`)), `the head of the table has ${runtime.name} ${version}`)

      const checks = await runSuite(t, folder, runtime)
      known ??= checks.map(({ name }) => name)
      t.same(checks.map(({ name }) => name), known, 'each check was run')
      for (const check of checks) assertAsInTable(t, check, column)
    })
  }

  t.test('each row of the table is a check', async t => {
    for (const { promise } of table.rows) t.ok(known.includes(promise), promise)
  })

  // On Node test/examples does this, with more to it.
  for (const runtime of RUNTIMES.slice(1)) {
    await t.test(`${runtime.name} runs the examples`, async t => {
      t.jobs = 3
      await testExamples(t, folder, runtime)
    })
  }

  for (const runtime of RUNTIMES) {
    t.test(`${runtime.name}: a service that gets SIGTERM closes its clients, refuses who waits, cuts who is silent, and ends`, async t => {
      await testService(t, folder, runtime)
    })
  }
})

async function runSuite (t: Test, folder: string, { start }: Runtime): Promise<Check[]> {
  const { code, stdout, stderr } = await new Program(t, folder, [...start, 'test/runtimes/suite.mjs']).ended(8 * LIMIT)
  t.same({ code, stderr }, { code: 0, stderr: '' }, 'the checks came to their end')
  return stdout.trim().split('\n').map(line => JSON.parse(line))
}

function assertAsInTable (t: Test, { name, error }: Check, column: number): void {
  const row = table.rows.find(({ promise }) => promise === name)
  if (row === undefined || holds(row.cells[column])) t.equal(error, undefined, name)
  else t.not(error, undefined, `does not hold, as the table says: ${name}`)
}

async function testExamples (t: Test, folder: string, { start, preload, test }: Runtime): Promise<void> {
  const run = async (t: Test, file: string) => {
    const program = new Program(t, folder, [...start, preload, './test/runtimes/any-port.mjs', file], { PORT: '0' })
    const [, url = ''] = await program.line(/(http:\/\/(?:localhost|127\.0\.0\.1|\[::1\]):\d+)/)
    return { program, url }
  }

  t.test('examples/echo.mjs echoes', async t => {
    const { url } = await run(t, 'examples/echo.mjs')
    const { socket, inbox } = await connect(t, `${url}/echo`)
    socket.send('hello')
    t.equal(String(await inbox.next()), 'hello')
  })

  t.test('examples/authentication.mjs lets in who has a token, and refuses others', async t => {
    const { url } = await run(t, 'examples/authentication.mjs')
    const { inbox } = await connect(t, `${url}/account`, { authorization: 'Bearer ada-token' })
    t.equal(String(await inbox.next()), 'Hello, Ada.')
    await t.rejects(connect(t, `${url}/account`), { message: 'Unexpected server response: 401' })
  })

  t.test('examples/stream.mjs shouts', async t => {
    const { url } = await run(t, 'examples/stream.mjs')
    const { socket, inbox } = await connect(t, `${url}/shout`)
    socket.send('hello')
    t.equal(String(await inbox.next()), 'HELLO!')
  })

  t.test('examples/http-and-websocket.cjs tells watchers the new score', async t => {
    const { url } = await run(t, 'examples/http-and-websocket.cjs')
    const { inbox } = await connect(t, `${url}/score`)
    t.same((await inbox.next()).json(), { home: 0, guests: 0 })
    await (await fetch(`${url}/score/home`, { method: 'POST', headers: { connection: 'close' } })).text()
    t.same((await inbox.next()).json(), { home: 1, guests: 0 })
  })

  t.test('examples/typebox.mts adds up', async t => {
    const { url } = await run(t, 'examples/typebox.mts')
    const { socket, inbox } = await connect(t, `${url}/sum/EUR?start=100`)
    socket.send('{"amount":25}')
    t.equal(String(await inbox.next()), '125.00 EUR')
  })

  t.test('examples/chat/server.mjs lets two people talk, and ends with its clients on SIGTERM', async t => {
    const { program, url } = await run(t, 'examples/chat/server.mjs')
    const ada = await join(t, url, 'Ada')
    const grace = await join(t, url, 'Grace')
    grace.socket.send(JSON.stringify({ type: 'say', text: 'Hello' }))
    t.match((await ada.inbox.next()).json(), { type: 'joined', name: 'Grace' })
    t.match((await ada.inbox.next()).json(), { type: 'said', name: 'Grace', text: 'Hello' })

    program.child.kill('SIGTERM')
    for (const { inbox } of [ada, grace]) t.equal((await inbox.closed).code, 1005)
    t.match(await program.ended(), { code: 0, signal: null, stderr: '' })
  })

  t.test('examples/testing/app.test.mjs passes', async t => {
    const { code, stdout, stderr } = await new Program(t, folder, [...test, './examples/testing/app.test.mjs']).ended()
    t.match(stdout + stderr, /\b2 pass(ed)?\b/)
    t.equal(code, 0)
  })
}

async function testService (t: Test, folder: string, { start }: Runtime): Promise<void> {
  const program = new Program(t, folder, [...start, 'test/runtimes/service.mjs'])
  const [url] = await program.line(/http:\S+/)
  const port = Number(new URL(url).port)
  const { inbox } = await connect(t, url)
  t.equal(String(await inbox.next()), 'hello')
  const [silent, waiting] = [await connectRaw(port), await connectRaw(port)]
  t.teardown(() => { for (const client of [silent, waiting]) client.destroy() })
  t.equal((await silent.upgrade('/').readResponse()).status, 101)
  waiting.upgrade('/never')
  await program.line(/asked/)

  program.child.kill('SIGTERM')
  t.same(await inbox.closed, { code: 1012, reason: 'restarting' })
  t.equal((await waiting.readResponse()).status, 503)
  await silent.readUntilClose()
  t.match(await program.ended(), { code: 0, signal: null, stderr: '' })
}

async function join (t: Test, url: string, name: string): Promise<{ socket: WebSocket, inbox: MessageInbox }> {
  const person = await connect(t, `${url}/chat`)
  person.socket.send(JSON.stringify({ type: 'join', name }))
  t.match((await person.inbox.next()).json(), { type: 'welcome', name })
  return person
}

async function connect (t: Test, url: string, headers = {}): Promise<{ socket: WebSocket, inbox: MessageInbox }> {
  const socket = new WebSocket(url, { headers })
  const inbox = readMessages(socket, { timeout: LIMIT })
  socket.on('error', ignore) // also of one that is cut before it is open
  t.teardown(() => { socket.terminate() })
  await within(once(socket, 'open'), `connecting to ${url}`)
  return { socket, inbox }
}

function ignore (): void {}
