// The runtimes, each started as a user would, in a folder that has this package installed under its name: Deno does not
// let a package import itself, as the examples do here.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { LIMIT, until, within } from '../helpers/limit'

const ROOT = join(__dirname, '../..')
const PACKAGES = ['fastify', 'ioredis', 'ws', 'typebox', '@fastify/type-provider-typebox']

export interface Runtime {
  name: 'Node' | 'Bun' | 'Deno';
  /** Runs a program. */
  start: string[];
  /** After `start`: loads a module before the program. */
  preload: string;
  /** Runs a file of node:test. */
  test: string[];
}

const bun = join(ROOT, 'node_modules/.bin/bun')
const deno = join(ROOT, 'node_modules/.bin/deno')

export const RUNTIMES: Runtime[] = [
  { name: 'Node', start: [process.execPath], preload: '--import', test: [process.execPath, '--test'] },
  { name: 'Bun', start: [bun], preload: '--preload', test: [bun, 'test'] },
  { name: 'Deno', start: [deno, 'run', '--allow-all'], preload: '--preload', test: [deno, 'test', '--allow-all', '--no-check'] }
]

/** A user's folder: the package and what it is used with in node_modules, examples and checks beside it. */
export async function installFolder (t: Test): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'runtimes-')))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'node_modules/@fastify'), { recursive: true })
  await symlink(ROOT, join(folder, 'node_modules/fastify-wss'))
  for (const name of PACKAGES) await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  const dependencies = Object.fromEntries(['fastify-wss', ...PACKAGES].map(name => [name, '*']))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }))
  for (const part of ['examples', 'test/runtimes', 'test/helpers/tls']) await cp(join(ROOT, part), join(folder, part), { recursive: true })
  return folder
}

/** The version that is installed: '1.4.5'. */
export async function versionOf ({ name }: Runtime): Promise<string> {
  if (name === 'Node') return process.versions.node
  return JSON.parse(await readFile(join(ROOT, 'node_modules', name.toLowerCase(), 'package.json'), 'utf8')).version
}

export interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export class Program {
  readonly child: ChildProcess
  readonly result: Promise<Result>
  #lines: string[] = []

  /** `command` in `folder`, killed at the test's end where it still runs. */
  constructor (t: Test, folder: string, command: string[], env: Record<string, string> = {}) {
    // tap puts its loaders into NODE_OPTIONS at every spawn, whatever `env` says.
    const args = ['-u', 'NODE_OPTIONS', ...command]
    this.child = spawn('env', args, { cwd: folder, env: { ...process.env, NO_COLOR: '1', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface(this.child.stdout!).on('line', line => this.#lines.push(line))
    this.result = this.#read()
    t.teardown(async () => {
      this.child.kill('SIGKILL')
      await this.result
    })
  }

  /** The first line on standard output that matches, as soon as there is one. */
  async line (pattern: RegExp): Promise<RegExpExecArray> {
    return await until(() => {
      if (this.child.exitCode !== null) throw new Error(`ended with ${this.child.exitCode}`)
      return this.#lines.map(line => pattern.exec(line)).find(match => match !== null)
    }, `the line ${pattern}`, 6 * LIMIT) as RegExpExecArray
  }

  /** What it leaves when it has ended by itself. */
  async ended (limit = 6 * LIMIT): Promise<Result> {
    return await within(this.result, 'the end of the program', limit)
  }

  async #read (): Promise<Result> {
    const exit = once(this.child, 'close')
    const [stdout, stderr] = await Promise.all([text(this.child.stdout!), text(this.child.stderr!)])
    const [code, signal] = await exit
    return { code, signal, stdout, stderr }
  }
}
