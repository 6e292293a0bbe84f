// The programs in docs/asyncapi.md run as a reader would run them; only the port is another. The types for a client are made
// of what the first of them serves.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { problemsOf } from '../helpers/asyncapi'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'

checkLeaksAtEnd(t)
t.setTimeout(10 * LIMIT)

const FOLDER = 'test/docs/asyncapi-programs'
const [rooms, clock, inside, generator, client, ...rest] = [...readFileSync('docs/asyncapi.md', 'utf8').matchAll(/^```(?:js|ts)\n([^]*?)^```/gm)].map(([, source = '']) => source)

rmSync(FOLDER, { recursive: true, force: true })
mkdirSync(FOLDER, { recursive: true })
t.teardown(() => { rmSync(FOLDER, { recursive: true, force: true }) })

t.test('each block of the page is run here', async t => {
  t.same(rest, [])
})

t.test('the rooms: a document in three forms, and a websocket that is as it says', async t => {
  const { address } = await run(t, rooms)
  const document = await (await fetch(`${address}/asyncapi.json`)).text()
  t.same(await problemsOf(document), [])
  t.match(JSON.parse(document), { info: { title: 'Rooms' }, channels: { room: { address: '/rooms/{id}', messages: { Say: {}, Leave: {} } } }, operations: { receiveRoom: {}, sendRoom: {} } })
  t.same(await problemsOf(await (await fetch(`${address}/asyncapi.yaml`)).text()), [])
  t.match(await (await fetch(`${address}/asyncapi`)).text(), '<title>Rooms</title>')

  const socket = await open(t, `${address}/rooms/1`)
  const answer = once(socket, 'message')
  socket.send('{"type":"say","text":"hello"}')
  t.equal(String((await within(answer, 'the message'))[0]), '{"type":"say","text":"hello"}')
})

t.test('the clock: a schema of Zod, with some help', async t => {
  const source = clock?.replace('await app.listen({ port: 3000 })', 'await app.listen({ port: 3000 })\nconsole.log(JSON.stringify(app.asyncapi().channels.clock.messages))')
  const { address, more } = await run(t, source)
  t.match(JSON.parse(await more()), { send_clock: { payload: { type: 'object', properties: { now: {} } } } })
  const socket = new WebSocket(`${address.replace('http', 'ws')}/clock`)
  t.teardown(() => { socket.terminate() })
  t.match(String((await within(once(socket, 'message'), 'the time'))[0]), /^\{"now":"\d{4}-/)
})

t.test('inside: only who has the key sees the document', async t => {
  const { address } = await run(t, inside)
  t.equal((await fetch(`${address}/asyncapi.json`)).status, 401)
  const response = await fetch(`${address}/asyncapi.json`, { headers: { 'x-key': 'secret' } })
  t.match(await response.json(), { channels: { inside: {} } })
})

t.test('the types for a client: it may send what the application receives, and no more', async t => {
  const { address } = await run(t, rooms)
  writeFileSync(`${FOLDER}/client-types.mjs`, generator ?? '')
  t.same(await finish([`${FOLDER}/client-types.mjs`, `${address}/asyncapi.json`, `${FOLDER}/client.d.ts`]), ['', 0])
  writeFileSync(`${FOLDER}/use.ts`, `${client}
import type { Leave } from './client'
export const leaving: Leave = { type: 'leave' }
export function misuse (socket: WebSocket): void {
  send(socket, { type: 'say', text: read('').text })
  // @ts-expect-error It has a text.
  send(socket, { type: 'say' })
  // @ts-expect-error The application does not receive it.
  send(socket, { type: 'shout' })
  // @ts-expect-error The application does not send it.
  const said: 'leave' = read('').type
}
`)
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom', '--types', 'node', '--skipLibCheck', '--ignoreConfig']
  t.same(await finish(['node_modules/typescript/bin/tsc', ...options, `${FOLDER}/use.ts`]), ['', 0])
})

t.test('so there are where messages are shared, refer to themselves, and have replies', async t => {
  const { address } = await run(t, `import Fastify from 'fastify'
import websocket from 'fastify-wss'
import asyncapi from 'fastify-wss/asyncapi'
const app = Fastify()
await app.register(websocket)
await app.register(asyncapi, { info: { title: 'Shared', version: '1' }, routePrefix: '/asyncapi' })
app.addSchema({ $id: 'Tree', type: 'object', required: ['type'], additionalProperties: false, properties: { type: { const: 'tree' }, children: { type: 'array', items: { $ref: '#' } } } })
app.addSchema({ $id: 'All', oneOf: [{ $ref: 'Tree#' }, { title: 'Text', type: 'string' }] })
app.get('/', { websocket: true, schema: { messages: { reply: true, receive: { $ref: 'All#' } } } }, () => {})
await app.listen({ port: 3000 })
`)
  writeFileSync(`${FOLDER}/client-types.mjs`, generator ?? '')
  t.same(await finish([`${FOLDER}/client-types.mjs`, `${address}/asyncapi.json`, `${FOLDER}/shared.d.ts`]), ['', 0])
  writeFileSync(`${FOLDER}/shared-use.ts`, `import type { Operations } from './shared'
export const messages: Array<Operations['receiveRoot']> = ['text', { type: 'tree', requestId: '1', children: [{ type: 'tree', children: [] }] }]
// @ts-expect-error It is no tree.
export const wrong: Operations['receiveRoot'] = { type: 'tree', children: [5] }
`)
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--ignoreConfig']
  t.same(await finish(['node_modules/typescript/bin/tsc', ...options, `${FOLDER}/shared-use.ts`]), ['', 0])
})

async function run (t: Test, source = ''): Promise<{ address: string, more: () => Promise<string> }> {
  const file = `${FOLDER}/${Math.random()}.mjs`
  writeFileSync(file, source.replace('listen({ port: 3000 })', 'listen({ port: 0 }).then(console.log)'))
  const child = spawn(process.execPath, [file], { env: { ...process.env, NODE_OPTIONS: '' } })
  const errors = text(child.stderr)
  t.teardown(async () => { await stop(child) })
  let output = ''
  child.stdout.on('data', data => { output += String(data) })
  const more = async (lines: number): Promise<string> => {
    await until(() => output.split('\n').length > lines || child.exitCode !== null, 'its output', 4 * LIMIT)
    if (child.exitCode !== null) throw new Error(await errors)
    return output.split('\n')[lines - 1] ?? ''
  }
  return { address: await more(1), more: () => more(2) }
}

async function finish (args: string[]): Promise<[string, number]> {
  const child = spawn(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } })
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return [output + errors, code]
}

async function open (t: Test, url: string): Promise<WebSocket> {
  const socket = new WebSocket(url.replace('http', 'ws'))
  t.teardown(() => { socket.terminate() })
  await within(once(socket, 'open'), url)
  return socket
}

async function stop (child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await until(() => child.exitCode !== null || child.signalCode !== null, 'the end of the program', LIMIT)
}
