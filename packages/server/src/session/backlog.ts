/** Bytes that have come and wait for a later turn, as their connection has had its share of this one. It is not read from meanwhile, so they are few. */
const nothing = Buffer.alloc(0)

export class Backlog {
  #bytes: Buffer = nothing
  #from = 0

  get size(): number {
    return this.#bytes.length - this.#from
  }

  /** They are copied. */
  add(bytes: Uint8Array, from: number, to: number): void {
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#from), bytes.subarray(from, to)])
    this.#from = 0
  }

  /** The next of them, at most `size`. */
  take(size: number): Buffer {
    const taken = this.#bytes.subarray(this.#from, this.#from + size)
    this.#from += taken.length
    if (this.#from === this.#bytes.length) this.clear()
    return taken
  }

  clear(): void {
    this.#bytes = nothing
    this.#from = 0
  }
}
