// Several Fastify processes on one Redis, which is killed in the middle.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { checkLeaksAtEnd } from '../helpers/leaks'
import { LIMIT, until, within } from '../helpers/limit'
import { skip, startRedis } from '../helpers/redis'

checkLeaksAtEnd(t)
t.setTimeout(120_000)

interface Node {
  child: ChildProcess
  url: string
}

async function startNode (t: Test, port: number, HISTORY = 'no'): Promise<Node> {
  const env = { ...process.env, NODE_OPTIONS: '', REDIS_PORT: String(port), HISTORY }
  const child = spawn(process.execPath, [join(__dirname, 'programs/node.mjs')], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => {
    const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    child.kill('SIGKILL')
    await exited
  })
  const lines = createInterface(child.stdout)
  const [url] = await within(once(lines, 'line'), 'the node', 4 * LIMIT)
  return { child, url }
}

async function listen (t: Test, { url }: Node, path: string): Promise<string[]> {
  const socket = new WebSocket(url.replace('http', 'ws') + path)
  t.teardown(() => { socket.terminate() })
  const lines: string[] = []
  socket.on('message', data => { lines.push(String(data)) })
  await within(once(socket, 'open'), 'the client')
  return lines
}

const numbers = (lines: string[], word?: string): number[] => lines.filter(line => word === undefined ? /^\d/.test(line) : line.startsWith(word)).map(line => Number(line.replace(/^\D*/, '').split(' ')[0]))

const COUNT = 3000

for (const history of [false, true]) {
  t.test(`a kill of Redis loses nothing unseen${history ? ', and nothing at all with a history that is on disk' : ''}`, { skip }, async t => {
    const disk = ['--dir', t.testdir(), '--appendonly', 'yes', '--appendfsync', 'always']
    const server = await startRedis(t, ...history ? disk : [])
    const [one, two] = await Promise.all([startNode(t, server.port, history ? 'yes' : 'no'), startNode(t, server.port, history ? 'yes' : 'no')])
    const [here, there] = [await listen(t, one, '/'), await listen(t, two, '/')]
    for (const lines of [here, there]) await until(() => lines.includes('subscribed'), 'the subscription')

    const told = await listen(t, one, `/publish?from=1&to=${COUNT}`)
    await until(() => there.length > 200, 'some messages')
    await server.kill()
    await new Promise(resolve => { setTimeout(resolve, 200) })
    await server.start()
    await until(() => numbers(told, 'sent').length + numbers(told, 'failed').length === COUNT, 'all to be published', 4 * LIMIT)
    const last = await listen(t, one, `/publish?from=${COUNT + 1}&to=${COUNT + 100}`)
    await until(() => numbers(last, 'sent').length + numbers(last, 'failed').length === 100, 'the last to be published', 4 * LIMIT)
    const end = numbers(last, 'sent').at(-1)
    if (end === undefined) {
      await until(async () => (await fetch(`${one.url}/count`)).status === 200, 'Redis', 4 * LIMIT)
    } else {
      await until(() => numbers(there).includes(end), 'the last message', 4 * LIMIT)
      // Without a history what fails is delivered where it was published all the same.
      await until(() => numbers(here).includes(history ? end : COUNT + 100), 'the last message where it was published', 4 * LIMIT)
    }

    const [sent, failed, got] = [[...numbers(told, 'sent'), ...numbers(last, 'sent')], numbers(told, 'failed'), numbers(there)]
    t.comment(`${sent.length} sent, ${failed.length} failed, ${got.length} received, ${there.filter(line => line.startsWith('gap')).length} gaps told`)
    t.ok(failed.length > 0, 'it was away')
    t.same(got, [...new Set(got)].sort((a, b) => a - b), 'none twice, none out of order')
    const missing = sent.filter(n => !got.includes(n))
    if (history) t.same(missing, [], 'nothing that was taken is missing')
    else t.ok(there.includes('gap true reconnected'), 'the gap is told')
    if (!history) t.same(numbers(here), Array.from({ length: COUNT + 100 }, (_, i) => i + 1), 'where it was published nothing is missing')
    else t.same(numbers(here), got, 'both nodes have one order')

    if (!history) return
    const after = String(there.filter(line => /^\d/.test(line))[50]?.split(' ')[1])
    const again = await listen(t, two, `/?after=${after}`)
    await until(() => again.includes('subscribed'), 'the subscription')
    t.same(numbers(again), got.slice(51), 'a client that comes back gets what it has missed')
  })
}

t.test('a node that does not answer is missing', { skip }, async t => {
  const server = await startRedis(t)
  const [one, two] = await Promise.all([startNode(t, server.port), startNode(t, server.port)])
  const [here, there] = [await listen(t, one, '/'), await listen(t, two, '/')]
  for (const lines of [here, there]) await until(() => lines.includes('subscribed'), 'the subscription')
  const count = async (): Promise<unknown> => await (await fetch(`${one.url}/count`)).json()
  t.same(await count(), { sockets: 2, nodes: 2, missing: 0 })
  two.child.kill('SIGSTOP')
  t.same(await count(), { sockets: 1, nodes: 1, missing: 1 })
  two.child.kill('SIGCONT')
  await until(async () => JSON.stringify(await count()) === JSON.stringify({ sockets: 2, nodes: 2, missing: 0 }), 'the answer')
})
