// Hot: every kept byte passes here.
/**
 * Entries of one block, gathered for the log: small things are copied side by side, long ranges of records stay where they are.
 *
 *     scratch   │ TOPOLOGY │ ROUTE │ RUN + records │ RUN header │            │ GONE │
 *     ranges                                                     │ 180 KiB …  │            parts: scratch, range, scratch
 */
import { copyBytes } from '@waybill/protocol'

const scratchSize = 256 * 1024
/** Records from this size on are not copied. */
const rangeFrom = 16 * 1024

export class BlockBuilder {
  readonly parts: Uint8Array[] = []
  size = 0
  #scratch = Buffer.allocUnsafeSlow(scratchSize)
  /** Where this block's bytes in the scratch begin that are not in `parts` yet, and where they end. */
  #start = 0
  #at = 0

  get isEmpty(): boolean {
    return this.size === 0
  }

  /** Room for `size` bytes in one piece: write them to `buffer` from the offset that is returned on. */
  reserve(size: number): number {
    if (this.#at + size > this.#scratch.length) this.#renew(size)
    const at = this.#at
    this.#at += size
    this.size += size
    return at
  }

  get buffer(): Buffer {
    return this.#scratch
  }

  /** Records of a slab, which stay as they are until the block has been appended. */
  range(source: Uint8Array, from: number, to: number): void {
    const size = to - from
    if (size < rangeFrom) {
      const at = this.reserve(size)
      copyBytes(this.#scratch, at, source, from, to)
      return
    }
    this.#cut()
    this.parts.push(source.subarray(from, to))
    this.size += size
  }

  /** All that has been gathered is in `parts`. */
  end(): void {
    this.#cut()
  }

  clear(): void {
    this.parts.length = 0
    this.size = 0
    this.#start = this.#at = 0
    if (this.#scratch.length > scratchSize) this.#scratch = Buffer.allocUnsafeSlow(scratchSize)
  }

  #cut(): void {
    if (this.#at > this.#start) this.parts.push(this.#scratch.subarray(this.#start, this.#at))
    this.#start = this.#at
  }

  /** What is in `parts` keeps the old scratch; the new one begins empty. */
  #renew(size: number): void {
    this.#cut()
    this.#scratch = Buffer.allocUnsafeSlow(Math.max(scratchSize, size))
    this.#start = this.#at = 0
  }
}
