// Runs visits against an application, and tells what may not be afterwards: a crash, a socket that is left, a proper
// client that is not served.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'node:net'
import type { Test } from 'tap'
import type { Parameters } from 'fast-check'
import { type Running, start, type StartOptions, type Transport } from '../helpers/app'
import { countConnections } from '../helpers/leaks'
import { until, within } from '../helpers/limit'
import { connectRaw, type RawClient } from '../helpers/raw-client'
import { split, type Visit } from './arbitraries'
import { declare } from './application'

/** How long fast-check may go on, with looking for a smaller counterexample too. */
const PATIENCE = 20_000

/**
 * The run of one property. A failure prints its seed and path: with both in FC_SEED and FC_PATH, and the same FC_RUNS if
 * it was set, the counterexample comes first.
 */
export function parameters<T> (runs: number): Parameters<T> {
  const { FC_RUNS, FC_SEED, FC_PATH } = process.env
  return {
    numRuns: Number(FC_RUNS ?? runs),
    ...(FC_SEED === undefined ? {} : { seed: Number(FC_SEED) }),
    ...(FC_PATH === undefined ? {} : { path: FC_PATH }),
    interruptAfterTimeLimit: FC_RUNS === undefined ? PATIENCE : undefined
  }
}

/** What nobody caught, from now to the end of the test. */
export function watchCrashes (t: Test): unknown[] {
  const crashes: unknown[] = []
  const onCrash = (error: unknown): void => { crashes.push(error) }
  process.on('uncaughtException', onCrash)
  process.on('unhandledRejection', onCrash)
  t.teardown(() => {
    process.off('uncaughtException', onCrash)
    process.off('unhandledRejection', onCrash)
  })
  return crashes
}

/** An application under attack. One that failed is replaced, so that the search for a counterexample starts afresh. */
export class Target {
  readonly #t: Test
  readonly #options: StartOptions
  readonly #crashes: unknown[]
  readonly #sockets = new Set<Socket>()
  #running: Running | undefined

  constructor (t: Test, over: Transport, options: StartOptions) {
    this.#t = t
    this.#options = { ...options, over }
    this.#crashes = watchCrashes(t)
  }

  /** Fails unless all is well after what the clients did. */
  async survives (attack: (running: Running) => Promise<void>): Promise<void> {
    this.#crashes.length = 0
    this.#running ??= await this.#start()
    try {
      await attack(this.#running)
      await until(async () => await countConnections(this.#server()) === 0, 'the server holds no socket')
      await this.#servesProperClient(this.#running)
      if (this.#crashes.length > 0) throw new Error('something was thrown that nobody caught', { cause: this.#crashes[0] })
    } catch (error) {
      for (const socket of this.#sockets) socket.destroy()
      this.#running = undefined
      throw error
    }
  }

  async #start (): Promise<Running> {
    const running = await start(this.#t, this.#options, declare)
    running.server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => { this.#sockets.delete(socket) })
    })
    return running
  }

  #server (): Running['server'] {
    if (this.#running === undefined) throw new Error('not started')
    return this.#running.server
  }

  async #servesProperClient (running: Running): Promise<void> {
    const { socket, inbox } = await running.connect('/echo')
    socket.send('hello')
    const answer = String(await inbox.next())
    socket.close(1000)
    if (answer !== 'hello') throw new Error(`a proper client got ${answer}`)
    await until(async () => await countConnections(running.server) === 0, 'the server lets a proper client go')
  }
}

/** One client comes and goes. Fails where it ends its half of the connection and the server does not end the other. */
export async function pay (running: Running, { bytes, cuts, pause, until: sent, leave }: Visit): Promise<void> {
  const client = await connectRaw(running)
  try {
    await send(client, bytes.slice(0, Math.round(sent * bytes.length)), cuts, pause)
    // Node ends the process where a TLS client is cut in the tick of its write.
    await sleep(pause)
    client[leave]()
    await within(client.closed, `the end of a connection that the client left by ${leave}`)
  } finally {
    client.destroy()
  }
}

/** Everybody pays at the same time; the first failure is thrown when the last has left. */
export async function payAll (running: Running, visits: Visit[]): Promise<void> {
  const results = await Promise.allSettled(visits.map(async visit => { await pay(running, visit) }))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

export async function send (client: RawClient, bytes: string, cuts: number[], pause: number): Promise<void> {
  for (const piece of split(bytes, cuts)) {
    if (piece !== '') client.write(Buffer.from(piece, 'latin1'))
    if (pause > 0) await sleep(pause)
  }
}
