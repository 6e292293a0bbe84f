// The programs in README.md run as a reader would run them; only the port is another, so that any machine has it free.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'

checkLeaksAtEnd(t)

const folder = 'test/docs/programs'
const readme = readFileSync('README.md', 'utf8')
const blocks = [...readme.matchAll(/^```(js|ts)\n([^]*?)^```/gm)].map(([, language = '', source = '']) => ({ language, source }))

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })

t.test('the README has programs', async t => {
  t.ok(blocks.length > 8)
})

for (const [index, { language, source }] of blocks.entries()) {
  const title = /## (.*)\n(?:(?!\n## )[^])*$/.exec(readme.slice(0, readme.indexOf(source)))?.[1]?.split('\n')[0]

  t.test(`program ${index + 1} of the README (${language}) runs`, async t => {
    t.comment(title)
    if (language === 'ts') await checkTypes(t, index, source)
    else await run(t, index, source)
  })
}

async function run (t: Test, index: number, source: string): Promise<void> {
  const file = `${folder}/${index}.${source.includes('require(') ? 'cjs' : 'mjs'}`
  writeFileSync(file, source.replace('listen({ port: 3000 })', 'listen({ port: 0 }).then(console.log)'))
  const child = spawn(process.execPath, [file], { env: { ...process.env, NODE_OPTIONS: '' } })
  t.teardown(async () => { await stop(child) })
  const errors = text(child.stderr)
  const exited = once(child, 'exit')
  const [line] = await within(Promise.race([once(child.stdout, 'data'), exited]), 'listening, or the end')
  if (Buffer.isBuffer(line)) {
    const address = String(line).trim().replace('http', 'ws')
    for (const path of websocketPaths(source)) t.ok(await answers(`${address}${path}?name=ada`), `${path} answers`)
  } else {
    t.equal(line, 0, 'ends without an error')
  }
  child.kill('SIGTERM')
  await within(exited, 'the end of the program')
  t.equal(await errors, '')
}

async function stop (child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await until(() => child.exitCode !== null || child.signalCode !== null, 'the end of the program', LIMIT)
}

function websocketPaths (source: string): string[] {
  return [...source.matchAll(/(?:get\('|url: ')([^']+)'/g)].map(match => String(match[1]))
}

/** True when the upgrade is accepted, or refused on purpose. */
async function answers (url: string): Promise<boolean> {
  const socket = new WebSocket(url)
  const status = await within(new Promise<number>((resolve, reject) => {
    socket.on('open', () => { resolve(101) })
    socket.on('unexpected-response', (_request, { statusCode = 0 }) => { resolve(statusCode) })
    socket.on('error', reject)
  }), url)
  socket.on('error', () => {})
  socket.terminate()
  return [101, 401].includes(status)
}

async function checkTypes (t: Test, index: number, source: string): Promise<void> {
  writeFileSync(`${folder}/${index}.mts`, source)
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022', '--types', 'node', '--ignoreConfig']
  const child = spawn(process.execPath, ['node_modules/typescript/bin/tsc', ...options, `${folder}/${index}.mts`], { env: { ...process.env, NODE_OPTIONS: '' } })
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  t.same([output, errors, code], ['', '', 0])
}
