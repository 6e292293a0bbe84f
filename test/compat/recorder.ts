// A stage: applications with one of the two plugins, their clients, and a transcript of what happens.
// A scenario waits for everything it wants to see; what comes after its end is not recorded. Everything opened here is cut
// at the end, also what the plugin would have kept.
import fastify, { type FastifyInstance, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type RawData, WebSocket } from 'ws'
import type websocket from '../../src'
import { readMessages } from '../../src/extras/testing'
import type { MessageInbox } from '../../types/testing'
import { certificate } from '../helpers/certificate'
import { type DialOptions, type LogLine, Running, type Http1Transport } from '../helpers/app'
import { LIMIT, until, within } from '../helpers/limit'
import type { Headers, RawClient } from '../helpers/raw-client'
import { describe, describeError, describeLogLine, describeResponse, label } from './describe'
import type { Transcript } from './transcript'

export type Plugin = typeof websocket
export type PluginOptions = Parameters<Plugin>[1]
type Injection = Parameters<FastifyInstance['injectWS']>

export interface StartOptions {
  /** Options of the plugin; false where `declare` registers it. */
  plugin?: PluginOptions | false;
  fastify?: FastifyServerOptions;
  over?: Http1Transport;
  listen?: boolean;
}

const REQUEST_HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse', 'onTimeout', 'onError', 'onRequestAbort'] as const
type RequestHook = typeof REQUEST_HOOKS[number]

export class Stage {
  /** The plugin of the side that plays. */
  readonly plugin: Plugin
  readonly #transcript: Transcript = {}
  readonly #logLevel: string
  readonly #running = new Map<FastifyInstance, Running>()
  readonly #sockets = new Set<Duplex>()
  readonly #websockets = new Set<WebSocket>()
  readonly #silenced = new Set<string>()
  #clients = 0
  #exchanges = 0
  #isOver = false

  constructor (plugin: Plugin, logLevel: string) {
    this.plugin = plugin
    this.#logLevel = logLevel
  }

  /** One line of the lane 'app': what the application sees. */
  record (event: string, ...details: unknown[]): void {
    this.write('app', [event, ...details.map(describe)].join(' '))
  }

  write (lane: string, line: string): void {
    if (!this.#isOver && !this.#silenced.has(lane)) (this.#transcript[lane] ??= []).push(line)
  }

  /** One line of the lane 'test': what a call of the test gave or threw. */
  async attempt<T> (what: string, action: () => T | Promise<T>): Promise<T | undefined> {
    try {
      const value = await action()
      this.write('test', `${what}: ${describe(value)}`)
      return value
    } catch (error) {
      this.write('test', `${what} threw ${describeError(error)}`)
    }
  }

  /** Waits until a lane has a line that holds `text`. */
  async saw (lane: string, text: string): Promise<void> {
    await until(() => this.#transcript[lane]?.some(line => line.includes(text)), `the line ${text} in the lane ${lane}`)
  }

  /** What was recorded. Nothing is from now on. */
  end (): Transcript {
    this.#isOver = true
    return this.#transcript
  }

  /** An application without the plugin, called <root>. */
  create ({ fastify: options, over = 'tcp' }: StartOptions = {}): FastifyInstance {
    const log: LogLine[] = []
    const stream = { write: (line: string) => { this.write('log', describeLogLine(JSON.parse(line))) } }
    const transport = { tcp: {}, tls: { https: certificate }, http2: { http2: true, https: { allowHTTP1: true, ...certificate } } }[over]
    const app = fastify({ logger: { level: this.#logLevel, stream }, ...transport, ...options } as FastifyServerOptions)
    this.#running.set(app, new Running(app, over, log))
    this.keep(app.server)
    return label(app, 'root')
  }

  /** An application with the plugin, listening unless told otherwise. */
  async start (declare: (app: FastifyInstance) => unknown, options: StartOptions = {}): Promise<FastifyInstance> {
    const { plugin = {}, listen = true } = options
    const app = this.create(options)
    if (plugin !== false) await app.register(this.plugin, plugin)
    await declare(app)
    if (listen) await app.listen({ port: 0, host: '127.0.0.1' })
    return app
  }

  /** Cuts the connections of this server at the end. */
  keep (server: { on (event: 'connection', listener: (socket: Socket) => void): unknown }): void {
    server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => { this.#sockets.delete(socket) })
    })
  }

  /** Hooks that record their arguments and go on. All kinds unless told which. */
  hooks (instance: FastifyInstance, name: string, kinds: readonly RequestHook[] = REQUEST_HOOKS): void {
    for (const kind of kinds) instance.addHook(kind as 'onRequest', this.hook(kind, name))
  }

  hook (kind: RequestHook, name: string): (this: FastifyInstance, request: FastifyRequest, reply: unknown, done: () => void) => void {
    const { record } = this
    const stage = this
    return function recordHook (...args: unknown[]) {
      const done = args.pop() as () => void
      record.call(stage, `${name} ${kind}`, this, ...args, (args[0] as FastifyRequest).ws ? 'upgrade' : 'plain')
      done()
    }
  }

  /** Records the messages and the end of a socket on the server's side. */
  watch (socket: WebSocket, name = 'socket'): void {
    this.#websockets.add(socket)
    socket.on('message', (data, isBinary) => { this.write('app', `${name} ${describeMessage(data, isBinary)}`) })
    socket.on('ping', data => { this.record(`${name} ping`, data) })
    socket.on('pong', data => { this.record(`${name} pong`, data) })
    socket.on('close', (code, reason) => { this.record(`${name} close`, code, reason.toString()) })
  }

  /** A client of `ws`, in a lane of its own; settles when it is open or was refused. */
  async connect (app: FastifyInstance, path = '/', options: DialOptions = {}): Promise<Client> {
    const { socket, inbox } = this.running(app).dial(path, options)
    const client = this.client(socket, inbox)
    await within(client.settled, `the answer to ${path}`)
    return client
  }

  /** Records an existing client of `ws`. */
  client (socket: WebSocket, inbox: MessageInbox = readMessages(socket, { timeout: LIMIT })): Client {
    this.#websockets.add(socket)
    return new Client(this, `client ${++this.#clients}`, socket, inbox)
  }

  /** injectWS and what it gives or throws; undefined when it rejected. A client that was refused is not recorded. */
  async inject (app: FastifyInstance, ...[path, context, options]: Injection): Promise<Client | undefined> {
    let client: Client | undefined
    const onInit = (socket: WebSocket) => {
      client = this.client(socket)
      options?.onInit?.(socket)
    }
    const socket = await this.attempt('injectWS', () => within(app.injectWS(path, context, { ...options, onInit }), 'injectWS'))
    if (socket === undefined) this.#silence(client)
    else return client
  }

  /** A plain request, its response, and the end of its connection. */
  async request (app: FastifyInstance, method: string, path: string, headers: Headers = {}): Promise<void> {
    const lane = this.#nextExchange()
    const client = await this.running(app).raw()
    client.request(method, path, { Connection: 'close', ...headers })
    await this.response(lane, client, method === 'HEAD')
    await this.ending(lane, client)
  }

  /** A raw upgrade that is to be refused: the whole of the response, and the end of the connection. */
  async refused (app: FastifyInstance, path = '/', headers: Headers = {}): Promise<void> {
    const { client, lane } = await this.upgrade(app, path, headers)
    await this.ending(lane, client)
  }

  /** A raw upgrade and its answer; the connection is left to the scenario. */
  async upgrade (app: FastifyInstance, path = '/', headers: Headers = {}): Promise<{ client: RawClient, lane: string }> {
    const lane = this.#nextExchange()
    const client = await this.running(app).raw()
    client.upgrade(path, headers)
    await this.response(lane, client)
    return { client, lane }
  }

  async response (lane: string, client: RawClient, head = false): Promise<void> {
    for (const line of describeResponse(await client.readResponse({ head }))) this.write(lane, line)
  }

  /** Everything until the server ends the connection. */
  async ending (lane: string, client: RawClient): Promise<void> {
    const bytes = await client.readUntilClose()
    if (bytes.length > 0) this.write(lane, `then ${JSON.stringify(bytes.toString('latin1'))}`)
    this.write(lane, 'end')
    client.fin()
    await within(client.closed, 'the close of the connection')
  }

  /** The frames that come until the server ends the connection. */
  async frames (lane: string, client: RawClient): Promise<void> {
    while (!client.ended || client.leftover.length > 0) {
      const frame = await client.readFrame().catch(() => undefined)
      if (frame === undefined) break
      this.write(lane, `frame ${frame.opcode} rsv ${frame.rsv} fin ${frame.fin} ${frame.payload.toString('hex')}`)
    }
    await this.ending(lane, client)
  }

  running (app: FastifyInstance): Running {
    const running = this.#running.get(app)
    if (running === undefined) throw new Error('an application of another stage')
    return running
  }

  /** Cuts what is open and closes the applications. `isForgiving`: the plugin may fail to. */
  async clear (isForgiving: boolean): Promise<void> {
    this.#isOver = true
    for (const app of this.#running.keys()) {
      if (app.hasDecorator('websocketServer')) for (const socket of app.websocketServer.clients ?? []) this.#websockets.add(socket)
    }
    for (const socket of this.#websockets) {
      socket.on('error', () => {})
      cut(socket)
    }
    for (const socket of this.#sockets) socket.destroy()
    for (const running of this.#running.values()) {
      await running.close().catch(error => { if (!isForgiving) throw error })
    }
  }

  // What a client that was never open does next depends on how it was refused.
  #silence (client: Client | undefined): void {
    if (client === undefined) return
    this.#silenced.add(client.lane)
    delete this.#transcript[client.lane]
  }

  #nextExchange (): string {
    return `http ${++this.#exchanges}`
  }
}

export class Client {
  readonly lane: string
  readonly socket: WebSocket
  readonly inbox: MessageInbox
  /** When the client is open, or closed without having been. */
  readonly settled: Promise<void>

  constructor (stage: Stage, lane: string, socket: WebSocket, inbox: MessageInbox) {
    this.lane = lane
    this.socket = socket
    this.inbox = inbox
    const write = (line: string) => { stage.write(lane, line) }
    socket.on('message', (data, isBinary) => { write(describeMessage(data, isBinary)) })
    socket.on('ping', data => { write(`ping ${describe(data)}`) })
    socket.on('pong', data => { write(`pong ${describe(data)}`) })
    socket.on('error', error => { write(`error ${describeError(error)}`) })
    socket.on('close', (code, reason) => { write(`close ${code} ${describe(reason.toString())}`) })
    const opened = () => { write(`open protocol ${describe(socket.protocol)} extensions ${describe(socket.extensions)}`) }
    this.settled = new Promise(resolve => {
      if (socket.readyState !== WebSocket.CONNECTING) resolve()
      socket.once('open', () => { opened(); resolve() })
      socket.once('close', () => { resolve() })
    })
    if (socket.readyState !== WebSocket.CONNECTING) opened()
  }

  send (data: string | Buffer): this {
    this.socket.send(data)
    return this
  }

  /** Waits for the next message. */
  async next (): Promise<void> {
    await this.inbox.next()
  }

  /** Closes from this side, and waits for the end. */
  async close (code?: number, reason?: string): Promise<void> {
    this.socket.close(code, reason)
    await this.closed()
  }

  async closed (): Promise<void> {
    await within(this.inbox.closed, 'the close of a client')
  }
}

// A client of the reference's injectWS that was never answered has nothing that ws could abort, and fails.
function cut (socket: WebSocket): void {
  try {
    socket.terminate()
  } catch {}
}

function describeMessage (data: RawData, isBinary: boolean): string {
  const { length } = data as Buffer
  return `message ${isBinary ? 'binary' : 'text'} ${length > 100 ? `${length} bytes` : JSON.stringify(String(data))}`
}
