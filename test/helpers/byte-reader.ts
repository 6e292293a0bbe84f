// Bytes that arrive in pieces, read as wholes. Reads come one after the other, each in a turn with a time limit;
// what a turn did not use, or all of it where it failed, stays for the next one.

export interface Parsed<T> {
  value: T;
  used: number;
}

/** Finds a whole at the start of the bytes, or nothing as long as it is not complete. */
export type Parse<T> = (bytes: Buffer, ended: boolean) => Parsed<T> | undefined

export class ByteReader {
  /** Set by whoever feeds the reader; the cause of reads that fail. */
  error: Error | undefined
  /** Grows by doubling: joining what has come anew for every packet takes seconds for some megabytes. */
  #store = Buffer.alloc(4096)
  #received = this.#store.subarray(0, 0)
  /** How much of it the turn has used. */
  #used = 0
  #deadline = 0
  #ended = false
  #wake = () => {}

  get ended (): boolean {
    return this.#ended
  }

  get leftover (): Buffer {
    return this.#received
  }

  receive (bytes: Buffer): void {
    let start = this.#received.byteOffset - this.#store.byteOffset
    const length = this.#received.length + bytes.length
    if (start + length > this.#store.length) {
      this.#store = Buffer.alloc(2 * length)
      this.#store.set(this.#received)
      start = 0
    }
    this.#store.set(bytes, start + length - bytes.length)
    this.#received = this.#store.subarray(start, start + length)
    this.#wake()
  }

  end (): void {
    this.#ended = true
    this.#wake()
  }

  /** Several reads as one: all of their bytes are used up, or none. */
  async turn<T> (limit: number, reads: () => Promise<T>): Promise<T> {
    this.#deadline = Date.now() + limit
    try {
      const value = await reads()
      this.#received = this.#received.subarray(this.#used)
      return value
    } catch (error) {
      const start = this.#received.toString('latin1', 0, 300)
      throw new Error(`${(error as Error).message}; ${this.#received.length} unread bytes: ${JSON.stringify(start)}`, { cause: this.error })
    } finally {
      this.#used = 0
    }
  }

  async read<T> (what: string, parse: Parse<T>): Promise<T> {
    while (true) {
      const parsed = parse(this.#received.subarray(this.#used), this.#ended)
      if (parsed !== undefined) {
        this.#used += parsed.used
        return parsed.value
      }
      if (this.#ended) throw new Error(`the connection ended before ${what} had come`)
      if (Date.now() >= this.#deadline) throw new Error(`${what} did not come in time`)
      await this.#news()
    }
  }

  async take (count: number): Promise<Buffer> {
    return await this.read(`${count} bytes`, bytes => {
      if (bytes.length >= count) return { value: Buffer.from(bytes.subarray(0, count)), used: count }
    })
  }

  /** The text before `end`, which is used up with it. */
  async takeUntil (end: string, what: string): Promise<string> {
    return await this.read(what, bytes => {
      const length = bytes.indexOf(end)
      if (length !== -1) return { value: bytes.toString('latin1', 0, length), used: length + end.length }
    })
  }

  async rest (): Promise<Buffer> {
    return await this.read('the end of the connection', (bytes, ended) => {
      if (ended) return { value: bytes, used: bytes.length }
    })
  }

  /** Settles when something has arrived, the connection has ended, or time is up. */
  async #news (): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>(resolve => {
      this.#wake = resolve
      timer = setTimeout(resolve, this.#deadline - Date.now())
    })
    clearTimeout(timer)
  }
}
