// Real time: the timers of Node as they were when this file was loaded. No later replacement of the globals or of the
// properties of node:timers (a test that stops the clock) reaches them.
// Every timer of ours is one of these, for none is the application's: the memory transport and the waits for it stand
// in for a network, which has no fake time either, and a limit that a mock stops is none. An application's own timers,
// and those of ws and Fastify, are the mock's. process.nextTick is not here: Node's own streams call the replaced one.

import { performance } from 'node:perf_hooks'
import timers from 'node:timers'

export const { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = timers

/** Milliseconds. Node takes any longer delay for 1 ms. */
export const LONGEST_DELAY = 2 ** 31 - 1

const readClock = performance.now.bind(performance)

/** Whole milliseconds that only go forward. Small numbers cost an object that holds them nothing. */
export function now (): number {
  return Math.round(readClock())
}
