// nginx and HAProxy, started without privileges in a folder of their own. Their configuration is the one in
// docs/deployment: only its addresses and the paths of its certificate are other ones here, and what a test names.
import { execFileSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { certificate } from '../helpers/certificate'
import { LIMIT, until } from '../helpers/limit'
import { env, start, stop } from './programs'

const DOCUMENTED = join(__dirname, '../../docs/deployment')

export type Edit = [from: string | RegExp, to: string]

export interface Kind {
  name: 'nginx' | 'HAProxy';
  file: string;
  /** The first line of what it says of its version, or undefined where it is not installed. */
  version: string | undefined;
  /** Writes what else it needs into its folder, and gives its command line. */
  prepare: (folder: string, config: string) => string[];
  reload: NodeJS.Signals;
}

export const nginx: Kind = {
  name: 'nginx',
  file: 'nginx.conf',
  version: versionOf('nginx', '-v'),
  prepare: (folder, config) => {
    writeFileSync(join(folder, 'main.conf'), `
      daemon off;
      ${process.getuid?.() === 0 ? 'user root;' : '' /* else its workers may not write into this folder */}
      pid ${folder}/nginx.pid;
      worker_processes 2;
      events { worker_connections 2048; }
      http {
        access_log off;
        ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(part => `${part}_temp_path ${folder}/${part};`).join('\n')}
        include ${config};
      }`)
    return ['nginx', '-p', folder, '-e', 'stderr', '-c', join(folder, 'main.conf')]
  },
  reload: 'SIGHUP'
}

export const haproxy: Kind = {
  name: 'HAProxy',
  file: 'haproxy.cfg',
  version: versionOf('haproxy', '-v'),
  prepare: (folder, config) => ['haproxy', '-W', '-f', config, '-p', join(folder, 'haproxy.pid')],
  reload: 'SIGUSR2'
}

export class Proxy {
  readonly port: number
  readonly securePort: number
  readonly #t: Test
  readonly #kind: Kind
  readonly #command: string[]
  #child: ChildProcess | undefined

  /** In front of the instances at these two ports, or of one twice. */
  static async start (t: Test, kind: Kind, instances: Array<{ port: number }>, edits: Edit[] = []): Promise<Proxy> {
    const proxy = new Proxy(t, kind, instances, edits, await sparePort(), await sparePort())
    await proxy.start()
    return proxy
  }

  private constructor (t: Test, kind: Kind, instances: Array<{ port: number }>, edits: Edit[], port: number, securePort: number) {
    this.#t = t
    this.#kind = kind
    this.port = port
    this.securePort = securePort
    const folder = mkdtempSync(join(tmpdir(), 'proxies-'))
    t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
    writeFileSync(join(folder, 'application.crt'), certificate.cert)
    writeFileSync(join(folder, 'application.key'), certificate.key)
    writeFileSync(join(folder, 'application.pem'), `${certificate.cert}${certificate.key}`)

    const config = join(folder, kind.file)
    const [one, two = one] = instances
    writeFileSync(config, edit(readFileSync(join(DOCUMENTED, kind.file), 'utf8'), [
      [/(?<verb>listen |bind ):?80\b/, `$<verb>127.0.0.1:${port}`],
      [/(?<verb>listen |bind ):?443\b/, `$<verb>127.0.0.1:${securePort}`],
      ['127.0.0.1:3000', `127.0.0.1:${one?.port}`],
      ['127.0.0.1:3001', `127.0.0.1:${two?.port}`],
      [/\/etc\/ssl/g, folder],
      ...edits
    ]))
    this.#command = kind.prepare(folder, config)
  }

  /** Also after `stop`, on the same ports. */
  async start (): Promise<void> {
    const [command = '', ...args] = this.#command
    // Not SIGKILL: it would leave their workers behind.
    const child = this.#child = start(this.#t, command, args, 'SIGTERM')
    const output = Promise.all([text(child.stdout!), text(child.stderr!)])
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`${this.#kind.name} ended: ${(await output).join('')}`)
      return await answers(this.port)
    }, `${this.#kind.name} on port ${this.port}`, 6 * LIMIT)
  }

  /** Ends it at once, with what is open. */
  async stop (): Promise<void> {
    if (this.#child !== undefined) await stop(this.#child, 'SIGTERM')
  }

  /** Reads its configuration again; what is open stays with the workers that have it. */
  reload (): void {
    this.#child?.kill(this.#kind.reload)
  }

  url (path = '/', { secure = false } = {}): string {
    return secure ? `https://127.0.0.1:${this.securePort}${path}` : `http://127.0.0.1:${this.port}${path}`
  }
}

function edit (config: string, edits: Edit[]): string {
  return edits.reduce((edited, [from, to]) => {
    const result = edited.replace(from, to)
    if (result === edited) throw new Error(`the configuration has nothing like ${from}`)
    return result
  }, config)
}

function versionOf (command: string, flag: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', `${command} ${flag} 2>&1`], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0]
  } catch {
    return undefined
  }
}

async function answers (port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } })
    return await response.text() === 'up'
  } catch {
    return false
  }
}

/** Below the ports that systems give away by themselves, so that nobody else is given it before the proxy takes it. */
async function sparePort (): Promise<number> {
  while (true) {
    const port = 15_000 + Math.floor(Math.random() * 15_000)
    if (await isFree(port)) return port
  }
}

async function isFree (port: number): Promise<boolean> {
  const server = net.createServer()
  return await new Promise(resolve => {
    server.once('error', () => { resolve(false) })
    server.listen(port, '127.0.0.1', () => { server.close(() => { resolve(true) }) })
  })
}
