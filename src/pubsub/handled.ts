// A promise of which the application need not wait for the end: an engine that is down, or a client that leaves, must not end the
// process of one that did not.

export function handled<T> (promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
