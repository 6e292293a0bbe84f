// What the packaging tests share: our tarball, and folders that know nothing of this repository to install it in.

import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { LIMIT } from '../helpers/limit'

/** Milliseconds that one packaging test file may take: it packs, installs and compiles. */
export const PACKAGING_LIMIT = 40 * LIMIT

export const root = join(__dirname, '../..')
const consumers = join(__dirname, 'consumers')

interface Manifest {
  name: string
  version: string
  [field: string]: unknown
}

export interface Tarball {
  path: string
  /** What is in it, sorted. */
  files: string[]
}

/** Packs what dist/ and types/ hold now. */
export async function pack (t: Test): Promise<Tarball> {
  const folder = await emptyFolder(t)
  const report = JSON.parse(await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root))
  const { filename, files } = report[0] as { filename: string, files: Array<{ path: string }> }
  return { path: join(folder, filename), files: files.map(file => file.path).sort() }
}

/** A folder outside of this repository, so that nothing of its node_modules is found from there. */
export async function emptyFolder (t: Test): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'packaging-')))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A package of a user, with these dependencies (and other fields of package.json) installed. */
export async function install (t: Test, dependencies: Record<string, string>, fields: Record<string, unknown> = {}): Promise<string> {
  const folder = await emptyFolder(t)
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies, ...fields }))
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], folder)
  return folder
}

/** Copies programs of consumers/ into a user's folder, where they know the package by another name if one is given. */
export async function addPrograms (folder: string, names: string[], packageName = 'fastify-wss'): Promise<void> {
  for (const name of names) {
    await cp(join(consumers, name), join(folder, name))
    const source = await readFile(join(folder, name), 'utf8')
    await writeFile(join(folder, name), source.replaceAll("'fastify-wss", `'${packageName}`))
  }
}

/** The version that this repository has installed, so that what the tests run on changes with package-lock.json only. */
export async function installedVersion (name: string): Promise<string> {
  return (await readManifest(join(root, 'node_modules', name))).version
}

export async function readManifest (folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
}

/** Runs to the end and gives what was printed; an exit code other than 0, or no end in time, rejects with all of it. */
export function run (command: string, args: string[], cwd: string, limit = PACKAGING_LIMIT): Promise<string> {
  return new Promise((resolve, reject) => {
    // tap puts its loaders into NODE_OPTIONS at every spawn, whatever `env` says. A user's shell has none.
    const outOfTap = ['-u', 'NODE_OPTIONS', command, ...args]
    execFile('env', outOfTap, { cwd, env: withoutNpm(), timeout: limit, maxBuffer: 2 ** 24 }, (failure, stdout, stderr) => {
      if (failure === null) resolve(stdout)
      else reject(new Error(`${[command, ...args].join(' ')}: ${failure.killed ? `no end in ${limit} ms` : `exit code ${failure.code}`}\n${stdout}${stderr}`))
    })
  })
}

// The npm that started this test tells its children about this repository.
function withoutNpm (): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle|command)/.test(name)))
}
