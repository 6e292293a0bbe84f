/** A promise that a test settles when it wants to: what lets a handler, a hook or a callback wait without a timer. */
export interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

export function deferred<T = void> (): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> | undefined
  const promise = new Promise<T>((resolve, reject) => { settle = { resolve, reject } })
  if (settle === undefined) throw new Error('a promise calls its executor at once')
  return { promise, ...(settle as Omit<Deferred<T>, 'promise'>) }
}
