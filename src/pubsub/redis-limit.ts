// The time that Redis has to answer, and until it is asked again. One that is stopped, or whose machine is gone, keeps its
// connections and is silent.

import { clearTimeout, setTimeout } from '../clock'

// Milliseconds between two attempts to connect.
const FIRST_RETRY = 50
const LONGEST_RETRY = 1000

/** Rejects after so many milliseconds, and then tells of it. What comes later is nobody's. */
export async function answered<Answer> (answer: Promise<Answer>, timeout: number, onLate: (error: Error) => void): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`no answer within ${timeout} ms`)
      reject(error)
      onLate(error)
    }, timeout)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Milliseconds until one connects again, after so many attempts. */
export function delayOf (attempt: number): number {
  return Math.min(FIRST_RETRY * (attempt + 1), LONGEST_RETRY)
}
