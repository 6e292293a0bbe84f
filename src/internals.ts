// What Fastify keeps behind a symbol and has no public way to: found by the symbol's name. Whoever asks lives without it where
// there is none.

export function symbolOf (object: object, name: string): symbol | undefined {
  for (let each: object | null = object; each !== null; each = Object.getPrototypeOf(each)) {
    const found = Object.getOwnPropertySymbols(each).find(({ description }) => description === name)
    if (found !== undefined) return found
  }
}
