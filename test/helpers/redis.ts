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
