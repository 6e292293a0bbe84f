// The programs in docs/pubsub.md run as a reader would run them; only the port is another. What is no program of its own gets
// what the reader has by then.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { skip, startCluster, startRedis } from '../helpers/redis'

checkLeaksAtEnd(t)

const FOLDER = 'test/docs/pubsub-programs'
const APPLICATION = `import Fastify from 'fastify'
import websocket from 'fastify-wss'
import pubsub from 'fastify-wss/pubsub'

const app = Fastify()
await app.register(websocket)
`
const LISTEN = "app.get('/', { websocket: true }, () => {})\nawait app.listen({ port: 3000 })\n"
const blocks = [...readFileSync('docs/pubsub.md', 'utf8').matchAll(/^```(js|ts)\n([^]*?)^```/gm)].map(([, language = '', source = '']) => ({ language, source }))
const programs = blocks.filter(({ source }) => source.startsWith("import Fastify from 'fastify'")).map(({ source }) => source)

rmSync(FOLDER, { recursive: true, force: true })
mkdirSync(FOLDER, { recursive: true })
t.teardown(() => { rmSync(FOLDER, { recursive: true, force: true }) })

t.test('each block of the page is run here', async t => {
  t.equal(programs.length, 4)
  t.equal(blocks.length, programs.length + 4, 'the types, two engines of Redis, the conformance suite')
})

t.test('the room: a message of text comes to the others as text', async t => {
  const { address } = await run(t, programs[0])
  const [sender, other] = [await open(t, `${address}/rooms/1`), await open(t, `${address}/rooms/1`)]
  const echoed = once(sender, 'message')
  const arrived = once(other, 'message')
  sender.send('hello')
  const [data, isBinary] = await within(arrived, 'the message')
  t.same([String(data), isBinary], ['hello', false])
  other.send('you too')
  t.equal(String((await within(echoed, 'the answer'))[0]), 'you too', 'its own message has not come')
})

t.test('who may subscribe: a topic of somebody else is refused', async t => {
  const { address } = await run(t, programs[1])
  const socket = await open(t, `${address}/feed`)
  const answer = once(socket, 'message')
  socket.send('user/bob')
  t.match(String((await within(answer, 'the refusal'))[0]), /user\/bob/)
})

t.test('gaps, and replay', async t => {
  for (const [source, path] of [[programs[2], '/prices'], [programs[3], '/feed?after=0']]) {
    const { address } = await run(t, source)
    t.equal((await open(t, `${address}${path}`)).readyState, WebSocket.OPEN)
  }
})

t.test('the types', async t => {
  const source = blocks.find(({ language }) => language === 'ts')?.source
  const file = `${FOLDER}/types.mts`
  writeFileSync(file, `${source}import type { PubSub } from 'fastify-wss/pubsub'
export function use (pubsub: PubSub): void {
  pubsub.on('room/1', message => message.text.length)
  // @ts-expect-error It has a name too.
  pubsub.publish('room/1', { text: 'x' })
}
`)
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022', '--types', 'node', '--ignoreConfig']
  const child = spawn(process.execPath, ['node_modules/typescript/bin/tsc', ...options, file], { env: { ...process.env, NODE_OPTIONS: '' } })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  t.same([output, code], ['', 0])
})

t.test('an engine of Redis, and of a cluster', { skip }, async t => {
  const { port } = await startRedis(t)
  const [{ port: clusterPort }] = await startCluster(t)
  for (const mark of ['@fastify/redis', 'new Cluster(']) {
    const source = blocks.find(({ source }) => source.includes(mark))?.source
    const { address } = await run(t, `${APPLICATION}${source}${LISTEN}`, { REDIS_URL: `redis://127.0.0.1:${port}`, REDIS_PORT: String(clusterPort) })
    t.equal((await open(t, address)).readyState, WebSocket.OPEN, mark)
  }
})

t.test('the conformance suite for an engine', async t => {
  const source = blocks.find(({ source }) => source.includes('conformance('))?.source
  const file = `${FOLDER}/conformance.mjs`
  writeFileSync(file, `import { memory as mine } from 'fastify-wss/pubsub'\nconst url = undefined\n${source}`)
  const child = spawn(process.execPath, ['--test', file], { env: { ...process.env, NODE_OPTIONS: '' } })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  t.equal(code, 0, output)
})

async function run (t: Test, source = '', env: object = {}): Promise<{ address: string }> {
  const file = `${FOLDER}/${Math.random()}.mjs`
  writeFileSync(file, source.replace('listen({ port: 3000 })', 'listen({ port: 0 }).then(console.log)'))
  const child = spawn(process.execPath, [file], { env: { ...process.env, NODE_OPTIONS: '', ...env } })
  const errors = text(child.stderr)
  t.teardown(async () => { await stop(child) })
  const [line] = await within(Promise.race([once(child.stdout, 'data'), once(child, 'exit')]), 'listening')
  if (!Buffer.isBuffer(line)) throw new Error(await errors)
  return { address: String(line).trim().replace('http', 'ws') }
}

async function open (t: Test, url: string): Promise<WebSocket> {
  const socket = new WebSocket(url)
  t.teardown(() => { socket.terminate() })
  await within(once(socket, 'open'), url)
  return socket
}

async function stop (child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await until(() => child.exitCode !== null || child.signalCode !== null, 'the end of the program', LIMIT)
}
