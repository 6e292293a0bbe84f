// The time that Redis has to answer. One that is stopped, or whose machine is gone, keeps its connections and is silent.

import { clearTimeout, setTimeout } from '../clock'

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
