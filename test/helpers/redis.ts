// A real redis-server on a spare port, which a test may kill and start again.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { until, within } from './limit'

const isThere = spawnSync('redis-server', ['--version']).status === 0

/** For the `skip` of tests that need it. */
export const skip = isThere ? false : 'there is no redis-server (apt-get install redis-server)'

export class RedisServer {
  readonly port: number
  readonly #args: string[]
  #child: ChildProcess | undefined

  constructor (port: number, args: string[]) {
    this.port = port
    this.#args = args
  }

  async start (): Promise<void> {
    this.#child = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...this.#args], { stdio: 'ignore' })
    await until(() => answers(this.port), 'redis-server')
  }

  /** As a machine that loses its power. */
  async kill (): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await within(exited, 'the end of redis-server')
  }

  /** By redis-cli, at once. */
  tell (...command: string[]): string {
    return String(spawnSync('redis-cli', ['-p', String(this.port), ...command]).stdout)
  }

  /** Of a node of a cluster. */
  get busPort (): string {
    return this.#args[this.#args.indexOf('--cluster-port') + 1] ?? ''
  }

  /** It keeps its connections, and answers nothing. */
  stop (): void {
    this.#child?.kill('SIGSTOP')
  }

  continue (): void {
    this.#child?.kill('SIGCONT')
  }
}

/** Ends with the test. */
export async function startRedis (t: Test, ...args: string[]): Promise<RedisServer> {
  const server = new RedisServer(await sparePort(), args)
  t.teardown(() => server.kill())
  await server.start()
  return server
}

/** Two masters, each with half of the slots. */
export async function startCluster (t: Test): Promise<[RedisServer, RedisServer]> {
  const dir = t.testdir()
  const masters = await Promise.all([0, 1].map(async i => await startRedis(t, '--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--cluster-port', String(await sparePort()), '--dir', dir, '--cluster-config-file', `${i}.conf`)))
  const [first, second] = masters as [RedisServer, RedisServer]
  first.tell('CLUSTER', 'ADDSLOTSRANGE', '0', '8191')
  second.tell('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383')
  first.tell('CLUSTER', 'MEET', '127.0.0.1', String(second.port), second.busPort)
  await until(() => masters.every(master => /cluster_state:ok[^]*cluster_known_nodes:2/.test(master.tell('CLUSTER', 'INFO'))), 'the cluster')
  return [first, second]
}

export async function sparePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function answers (port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    const [bytes] = await new Promise<[Buffer]>((resolve, reject) => {
      socket.on('error', reject)
      socket.once('data', (...args) => { resolve(args as [Buffer]) })
      socket.write('PING\r\n')
    })
    return /PONG|NOAUTH/.test(String(bytes))
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
