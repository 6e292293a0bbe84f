// What counts as a promise that an application returned: anything with a then, as await has it. And promises that it gets.

export function isThenable (value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false
  return 'then' in value && typeof value.then === 'function'
}

/** Of which nobody has to wait for the end: a client that leaves must not end the process of an application that did not. */
export function handled<T> (promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
