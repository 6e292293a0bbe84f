// An example as a process of its own, started as a user would start it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { LIMIT, within } from '../helpers/limit'

const ROOT = join(__dirname, '../..')

export interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Program {
  child: ChildProcess;
  /** Its first line on standard output. Rejects when it ends without one. */
  firstLine: Promise<string>;
  result: Promise<Result>;
}

/** `node ...args` in the project's folder; killed at the test's end where it still runs. */
export function run (t: Test, args: string[], env: Record<string, string> = {}): Program {
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const result = readResult(child)
  const firstLine = within(readFirstLine(child, result), `the first line of ${args}`, 2 * LIMIT)
  firstLine.catch(ignore) // not every test asks for it
  t.teardown(async () => {
    child.kill('SIGKILL')
    await result
  })
  return { child, firstLine, result }
}

async function readResult (child: ChildProcess): Promise<Result> {
  const exit = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)])
  const [code, signal] = await exit
  return { code, signal, stdout, stderr }
}

async function readFirstLine (child: ChildProcess, result: Promise<Result>): Promise<string> {
  const line = once(createInterface(child.stdout!), 'line')
  const ended = result.then(({ stderr }) => { throw new Error(`ended without a line: ${stderr}`) })
  const [first] = await Promise.race([line, ended])
  return first
}

/** What a program leaves when it has ended by itself. */
export async function ended (program: Program): Promise<Result> {
  return await within(program.result, 'the end of the program', 2 * LIMIT)
}

/** The chat, listening; `PORT` chooses where, and '0' leaves it to the system. `env`: REDIS_URL, if any. */
export async function startChat (t: Test, PORT: string, env: Record<string, string> = {}): Promise<Program & { url: URL }> {
  const program = run(t, ['examples/chat/server.mjs'], { PORT, ...env })
  const line = await program.firstLine
  return { ...program, url: new URL(line.replace('The chat is on ', '')) }
}

function ignore (): void {}
