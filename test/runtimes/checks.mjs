// How a suite of checks runs where there is no test framework: one after the other, each with a time limit, each
// reported as a line of JSON on standard output. What a check opens is ended with it, whether it holds or not.
import { inspect } from 'node:util'

/** Milliseconds that one step of a check may take. */
export const LIMIT = 5_000

const checks = []

/** `run` gets a context: `context.end(cleanup)` is called after the check, the last one first. */
export function check (name, run) {
  checks.push({ name, run })
}

/** Runs every check, or those whose name has one of the words given, and tells how the process took it. */
export async function runChecks (words) {
  let uncaught = []
  process.on('uncaughtException', error => { uncaught.push(error) })
  process.on('unhandledRejection', error => { uncaught.push(error) })

  for (const { name, run } of checks) {
    if (words.length > 0 && !words.some(word => name.includes(word))) continue
    uncaught = []
    const begun = Date.now()
    const error = await attempt(run) ?? uncaught[0]
    process.stdout.write(`${JSON.stringify({ name, milliseconds: Date.now() - begun, error: error && describe(error) })}\n`)
  }
}

async function attempt (run) {
  const cleanups = []
  try {
    await within(run({ end: cleanup => { cleanups.push(cleanup) } }), 'the check', 4 * LIMIT)
  } catch (error) {
    return error
  } finally {
    for (const cleanup of cleanups.reverse()) await within(cleanup(), 'the end of the check').catch(() => {})
  }
}

function describe (error) {
  return error instanceof Error ? `${error.message}\n${error.stack}` : inspect(error)
}

/** The value of `promise`, or an error that says `what` did not happen in time. */
export async function within (promise, what, limit = LIMIT) {
  let timer
  const expired = new Promise((resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`${what}: not within ${limit} ms`)) }, limit)
  })
  try {
    return await Promise.race([promise, expired])
  } finally {
    clearTimeout(timer)
  }
}

/** Asks until `probe` gives a truthy value. */
export async function until (probe, what, limit = LIMIT) {
  const end = Date.now() + limit
  while (true) {
    const value = await probe()
    if (value) return value
    if (Date.now() > end) throw new Error(`${what}: not within ${limit} ms`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
