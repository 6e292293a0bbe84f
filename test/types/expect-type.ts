// Assertions that the compiler checks. Nothing here, nor in the files that use it, is ever run.

export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

interface TypeExpectation<Expected> {
  /** Compiles only when the type of value is Expected: no wider, no narrower, not any. */
  from<Actual> (value: Actual, ...difference: Equal<Actual, Expected> extends true ? [] : [expected: Expected, actual: Actual]): void
}

export declare function expectType<Expected> (): TypeExpectation<Expected>
