// A test may not leave anything behind: no connection on its server, and nothing that keeps the process alive.
import type { Server } from 'node:net'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { LIMIT, until } from './limit'

/** Waits until no connection is left on the server, and fails where one stays. */
export async function assertServerHoldsNothing (t: Test, server: Server): Promise<void> {
  const count = await settle(() => countConnections(server), left => left === 0)
  t.equal(count, 0, 'the server holds no connection')
}

export async function countConnections (server: Server): Promise<number> {
  return await promisify(server.getConnections.bind(server))()
}

/**
 * Once per test file, at its top: fails the file where, after its last test, more keeps the process alive (sockets,
 * servers, timers) than at this call. A timer without a reference (`unref`) is not seen.
 */
export function checkLeaksAtEnd (root: typeof t): void {
  const before = countResources()
  root.teardown(async () => {
    const left = await settle(() => leftOver(before), resources => resources.length === 0)
    if (left.length === 0) return

    // Whatever is left would keep the process alive until tap's own time limit.
    setTimeout(() => process.exit(1), 100).unref()
    throw new Error(`this test file leaves behind: ${left.join(', ')}`)
  })
}

async function settle<T> (read: () => T | Promise<T>, isDone: (value: T) => boolean): Promise<T> {
  let value = await read()
  await until(async () => isDone(value = await read()), 'settling', LIMIT).catch(() => {})
  return value
}

function leftOver (before: Map<string, number>): string[] {
  return [...countResources()]
    .map(([name, count]): [string, number] => [name, count - (before.get(name) ?? 0)])
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
}

function countResources (): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
