// An application with our plugin, over every way in, and everything a test opens on it, closed at the test's end.
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Test } from 'tap'
import { type ClientOptions, WebSocket } from 'ws'
import websocket from '../../src'
import { readMessages } from '../../src/extras/testing'
import type { MessageInbox } from '../../types/testing'
import { certificate } from './certificate'
import { connectHttp2, rawOverHttp2 } from './http2-clients'
import { LIMIT, until, within } from './limit'
import { connectRaw, type RawClient } from './raw-client'

/** The ways in over HTTP/1.1: 'http2' is TLS with `allowHTTP1`, where a websocket may come over HTTP/1.1. */
export const TRANSPORTS = ['tcp', 'tls', 'http2'] as const
export type Http1Transport = typeof TRANSPORTS[number]
/** Those over HTTP/2, plain and on TLS: a session for each client. */
export const HTTP2_TRANSPORTS = ['h2c', 'h2'] as const
export const ALL_TRANSPORTS = [...TRANSPORTS, ...HTTP2_TRANSPORTS] as const
export type Transport = typeof ALL_TRANSPORTS[number]

export interface StartOptions {
  /** Default 'tcp'. */
  over?: Transport;
  /** Options of the plugin, or `false` to leave its registration to `declare`. */
  websocket?: Parameters<typeof websocket>[1] | false;
  /** Options of Fastify, on top of those for the transport and the log. */
  fastify?: FastifyServerOptions;
  /** The least level that is captured. Default 'info'. */
  logLevel?: string;
  /** The address to listen on. Default '127.0.0.1'. */
  host?: string;
}

export interface LogLine {
  level: number;
  msg: string;
  err?: { type: string, message: string, stack: string, code?: string };
  [key: string]: unknown;
}

export interface DialOptions extends ClientOptions {
  protocols?: string | string[];
}

export interface Client {
  socket: WebSocket;
  inbox: MessageInbox;
}

export type Declare = (app: FastifyInstance) => unknown

/** A listening application. Leave out `options` where the defaults do. */
export async function start (t: Test, options: StartOptions | Declare, declare: Declare = () => {}): Promise<Running> {
  if (typeof options === 'function') return await start(t, {}, options)

  const running = create(t, options)
  if (options.websocket !== false) await running.app.register(websocket, options.websocket ?? {})
  await declare(running.app)
  await running.app.listen({ port: 0, host: options.host ?? '127.0.0.1' })
  return running
}

/** As `start`, but nothing is registered and it does not listen: for injectWS and for what happens before `listen`. */
export function create (t: Test, options: StartOptions = {}): Running {
  const { over = 'tcp', logLevel = 'info' } = options
  const log: LogLine[] = []
  const stream = { write (line: string) { log.push(JSON.parse(line)) } }
  const allowed = { http2: true, https: { allowHTTP1: true, ...certificate } }
  const transport = { tcp: {}, tls: { https: certificate }, http2: allowed, h2c: { http2: true }, h2: allowed }[over]
  const app = fastify({ logger: { level: logLevel, stream }, ...transport, ...options.fastify } as FastifyServerOptions)

  const running = new Running(app, over, log)
  t.teardown(() => running.close())
  return running
}

export class Running {
  readonly app: FastifyInstance
  readonly over: Transport
  readonly secure: boolean
  readonly log: LogLine[]
  readonly #sockets = new Set<WebSocket>()
  readonly #rawClients = new Set<RawClient>()

  constructor (app: FastifyInstance, over: Transport, log: LogLine[]) {
    this.app = app
    this.over = over
    this.secure = over !== 'tcp' && over !== 'h2c'
    this.log = log
  }

  get server (): Server {
    return this.app.server
  }

  get port (): number {
    return (this.server.address() as AddressInfo).port
  }

  url (path = '/'): string {
    return `http${this.secure ? 's' : ''}://127.0.0.1:${this.port}${path}`
  }

  wsUrl (path = '/'): string {
    return `ws${this.secure ? 's' : ''}://127.0.0.1:${this.port}${path}`
  }

  /** A client that is open. Rejects with the error of `ws` when the upgrade is refused. */
  async connect (path = '/', options: DialOptions = {}): Promise<Client> {
    const client = this.dial(path, options)
    const opened = new Promise<void>((resolve, reject) => {
      client.socket.once('open', resolve)
      client.socket.once('error', reject)
      client.socket.once('close', code => reject(new Error(`closed with ${code} before it was open`)))
    })
    await within(opened, `connecting to ${path}`)
    return client
  }

  /** A client that is still connecting. The inbox is attached, so an error of the socket crashes nothing. */
  dial (path = '/', { protocols, ...options }: DialOptions = {}): Client {
    const overHttp2 = isOverHttp2(this.over) ? { createConnection: () => connectHttp2(this) as Duplex as Socket } : {}
    const socket = new WebSocket(this.wsUrl(path), protocols, { ca: certificate.cert, ...overHttp2, ...options })
    this.#sockets.add(socket)
    return { socket, inbox: readMessages(socket, { timeout: LIMIT }) }
  }

  async raw (): Promise<RawClient> {
    const client = isOverHttp2(this.over) ? rawOverHttp2(this) : await connectRaw(this)
    this.#rawClients.add(client)
    return client
  }

  /** The first log line that `msg` matches, as soon as there is one. */
  async logged (msg: string | RegExp): Promise<LogLine> {
    const find = () => this.log.find(line => typeof msg === 'string' ? line.msg === msg : msg.test(line.msg))
    return await until(find, `the log line ${msg}`) as LogLine
  }

  /** What the end of the test does: cuts what it opened, then closes the application. Nothing happens on a second call. */
  async close (): Promise<void> {
    for (const socket of this.#sockets) {
      socket.on('error', ignore)
      socket.terminate()
    }
    for (const client of this.#rawClients) client.destroy()
    await within(this.app.close(), 'app.close()', 2 * LIMIT)
  }
}

// ws reports that a connecting socket was cut; whoever cuts it on purpose knows.
function ignore (): void {}

export function isOverHttp2 (over: Transport): boolean {
  return over === 'h2c' || over === 'h2'
}
