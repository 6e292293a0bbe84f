// Processes of a test: two instances of the application, and a proxy in front of them. Each is ended by its own handle.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { LIMIT, until, within } from '../helpers/limit'

/** Debian has the proxies where the PATH of an ordinary user does not lead. */
export const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }

export interface State {
  name: string;
  /** Open websockets. */
  clients: number;
  /** How many connections it was ever given. */
  connections: number;
  /** How many upgrades its slow hook has seen. */
  waiting: number;
}

export class Instance {
  readonly port: number
  readonly #child: ChildProcess

  static async start (t: Test, name: string): Promise<Instance> {
    const child = start(t, process.execPath, [join(__dirname, 'application.mjs'), name], 'SIGKILL')
    const [line] = await within(once(createInterface(child.stdout!), 'line'), 'the port of the instance', 6 * LIMIT)
    return new Instance(Number(line), child)
  }

  private constructor (port: number, child: ChildProcess) {
    this.port = port
    this.#child = child
  }

  /** Asked for past the proxy. */
  async state (): Promise<State> {
    const response = await fetch(`http://127.0.0.1:${this.port}/state`, { headers: { connection: 'close' } })
    return await response.json() as State
  }

  async holds (clients: number): Promise<void> {
    await until(async () => (await this.state()).clients === clients, `${clients} clients at the instance`)
  }

  /** SIGTERM; gives the exit code. */
  async terminate (): Promise<number | null> {
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const [code] = await within(exit, 'the end of the instance', 3 * LIMIT)
    return code
  }
}

/** A program that ends with the test, by this signal. */
export function start (t: Test, command: string, args: string[], signal: NodeJS.Signals): ChildProcess {
  // tap puts its loaders into NODE_OPTIONS at every spawn, whatever `env` says.
  const child = spawn('env', ['-u', 'NODE_OPTIONS', command, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout?.resume()
  child.stderr?.resume()
  const end = () => { child.kill(signal) }
  process.once('exit', end)
  t.teardown(async () => {
    await stop(child, signal)
    process.off('exit', end)
  })
  return child
}

/** Ends a program, and waits until it and what it has started are gone. */
export async function stop (child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill(signal)
  await within(closed, `the end of a program by ${signal}`, 2 * LIMIT)
}
