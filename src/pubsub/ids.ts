// The ids that messages of a history have, as those of Redis streams: milliseconds, and a number within them. They grow.

/** Before all ids. */
export const START = '0'

const ID = /^\d{1,15}(-\d{1,15})?$/

/** What a client brings along may be anything. */
export function isId (value: unknown): value is string {
  return typeof value === 'string' && ID.test(value)
}

/** Below 0, 0 or above, as the first is before, the same as, or behind the other. */
export function compareIds (one: string, other: string): number {
  const [time, number = 0] = one.split('-').map(Number)
  const [otherTime, otherNumber = 0] = other.split('-').map(Number)
  return Number(time) - Number(otherTime) || number - otherNumber
}
