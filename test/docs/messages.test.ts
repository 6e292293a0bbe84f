// The programs in docs/messages.md run as a reader would run them; only the port is another.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { pack, unpack } from 'msgpackr'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { readMessages } from '../../src/extras/testing'
import type { Client } from '../helpers/app'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'

checkLeaksAtEnd(t)

const FOLDER = 'test/docs/messages-programs'
const page = readFileSync('docs/messages.md', 'utf8')
const blocks = [...page.matchAll(/^```(js|ts)\n([^]*?)^```/gm)].map(([, language = '', source = '']) => ({ language, source }))
const programs = blocks.filter(({ language }) => language === 'js').map(({ source }) => source)
const typed = blocks.filter(({ language }) => language === 'ts').map(({ source }) => source)

rmSync(FOLDER, { recursive: true, force: true })
mkdirSync(FOLDER, { recursive: true })
t.teardown(() => { rmSync(FOLDER, { recursive: true, force: true }) })

t.test('each block of the page is run here', async t => {
  t.equal(programs.length, 5)
  t.equal(typed.length, 2)
})

t.test('the echo: a loop, a union, and what is invalid', async t => {
  const { address } = await run(t, programs[0])
  const { socket, inbox } = await open(t, `${address}/echo`)
  socket.send('{"type":"say","text":"hello"}')
  t.equal(String(await inbox.next()), '{"text":"hello"}')
  socket.send('{"type":"leave"}')
  t.same(await inbox.closed, { code: 1000, reason: 'bye' })

  for (const [data, code, reason] of [
    ['{"type":"go"}', 1008, 'message/type must be one of "say", "leave"'],
    ['hello', 1007, 'message is not JSON'],
    [Buffer.from('{}'), 1003, 'message must be text']
  ] as const) {
    const { socket, inbox } = await open(t, `${address}/echo`)
    socket.send(data)
    t.same(await inbox.closed, { code, reason })
    t.ok(page.includes(reason), `the page tells of ${reason}`)
  }
})

t.test('the squares: a function, and a reply to what is invalid', async t => {
  const { address } = await run(t, programs[1])
  const { socket, inbox } = await open(t, `${address}/square`)
  socket.send('7')
  t.equal(String(await inbox.next()), '49')
  socket.send('"many"')
  t.same((await inbox.next()).json(), { error: { code: 'FST_WS_MESSAGES_INVALID', message: 'message must be number' } })
})

t.test('the mirror: MessagePack', async t => {
  const { address } = await run(t, programs[2])
  const { socket, inbox } = await open(t, `${address}/mirror`)
  socket.send(pack({ x: 1, y: 2 }))
  t.same(unpack((await inbox.next()).data), { x: -1, y: -2 })
})

t.test('the quiz: requests both ways', async t => {
  const { address } = await run(t, programs[3])
  const { socket, inbox } = await open(t, `${address}/quiz`)
  const { requestId, question } = (await inbox.next()).json<{ requestId: string, question: string }>()
  t.equal(question, '6 * 7')
  socket.send(JSON.stringify({ replyTo: requestId, answer: 42 }))
  t.same((await inbox.next()).json(), { right: true })
  socket.send('{"requestId":"a","what":"score"}')
  t.same((await inbox.next()).json(), { score: 1, replyTo: 'a' })
})

t.test('the test', async t => {
  const file = `${FOLDER}/test.mjs`
  writeFileSync(file, programs[4] ?? '')
  const child = spawn(process.execPath, [file], { env: { ...process.env, NODE_OPTIONS: '' } })
  const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  t.same([errors, code], ['', 0])
})

t.test('the types', async t => {
  const files = typed.map((source, index) => {
    writeFileSync(`${FOLDER}/types-${index}.mts`, source)
    return `${FOLDER}/types-${index}.mts`
  })
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022', '--types', 'node', '--ignoreConfig']
  const child = spawn(process.execPath, ['node_modules/typescript/bin/tsc', ...options, ...files], { env: { ...process.env, NODE_OPTIONS: '' } })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  t.same([output, code], ['', 0])
})

t.test('the wire format is told in twenty lines', async t => {
  const wire = /\*\*On the wire\*\*[^]*?(?=\n## )/.exec(page)?.[0] ?? ''
  t.ok(wire.includes('replyTo'))
  t.ok(wire.trim().split('\n').length <= 20)
})

async function run (t: Test, source = ''): Promise<{ address: string }> {
  const file = `${FOLDER}/${Math.random()}.mjs`
  writeFileSync(file, source.replace('listen({ port: 3000 })', 'listen({ port: 0 }).then(console.log)'))
  const child = spawn(process.execPath, [file], { env: { ...process.env, NODE_OPTIONS: '' } })
  const errors = text(child.stderr)
  t.teardown(async () => { await stop(child) })
  const [line] = await within(Promise.race([once(child.stdout, 'data'), once(child, 'exit')]), 'listening')
  if (!Buffer.isBuffer(line)) throw new Error(await errors)
  return { address: String(line).trim().replace('http', 'ws') }
}

async function open (t: Test, url: string): Promise<Client> {
  const socket = new WebSocket(url)
  const inbox = readMessages(socket, { timeout: LIMIT })
  t.teardown(() => { socket.terminate() })
  await within(once(socket, 'open'), url)
  return { socket, inbox }
}

async function stop (child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await until(() => child.exitCode !== null || child.signalCode !== null, 'the end of the program', LIMIT)
}
