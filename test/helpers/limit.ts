// Every time limit of the tests is a multiple of one constant, so that a slow machine needs one change.
// Nothing here makes a test pass by waiting: a limit is only how long a failure may take.

/** Milliseconds that anything local may take. */
export const LIMIT = 15_000

/** The value of `promise`, or an error that says `what` did not happen in time. */
export async function within<T> (promise: Promise<T>, what: string, limit = LIMIT): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${limit} ms`)), limit)
  })
  try {
    return await Promise.race([promise, expired])
  } finally {
    clearTimeout(timer)
  }
}

/** Asks until `probe` gives a truthy value, and returns it; or an error that says `what` did not come true in time. */
export async function until<T> (probe: () => T | Promise<T>, what: string, limit = LIMIT): Promise<T> {
  const end = Date.now() + limit
  while (true) {
    const value = await probe()
    if (value) return value
    if (Date.now() > end) throw new Error(`${what}: not within ${limit} ms`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
