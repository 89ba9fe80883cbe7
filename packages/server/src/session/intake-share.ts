/**
 * What the intakes of all connections of a shard share: memory for frames that have begun and are not whole, and slabs to land in.
 *
 * A PUBLISH within the credit of its channel has its memory in the budget of publishers already. All other frames that are not whole
 * share one pot: so thousands of peers that each begin a large frame and never end it are turned away one by one, and small frames
 * are read all the same.
 */
import { type Slabs, slabSize } from '../broker/store/slabs.js'

const partialSizeMax = 2 * 1024 * 1024
/** Connections that have a slab of their own to land in, and the share of the memory that those may take. */
const bulkCountMax = 64
const bulkShare = 1 / 16

export class IntakeShare {
  readonly slabs: Slabs
  /** Bytes charged to the pot. */
  partialSize = 0
  readonly #bulkCountMax: number
  #bulkCount = 0

  /** `memorySize`: bytes that messages may take. */
  constructor(slabs: Slabs, memorySize: number) {
    this.slabs = slabs
    this.#bulkCountMax = Math.min(bulkCountMax, Math.floor((memorySize * bulkShare) / slabSize))
  }

  /** Charges `size` in place of `before`. False: there is no room for so much more. */
  charge(before: number, size: number): boolean {
    this.partialSize += size - before
    return size <= before || this.partialSize <= partialSizeMax
  }

  /** Whether one more connection may have a slab of its own to land in. */
  admitBulk(): boolean {
    if (this.#bulkCount >= this.#bulkCountMax) return false
    this.#bulkCount++
    return true
  }

  bulkLeft(): void {
    this.#bulkCount--
  }
}
