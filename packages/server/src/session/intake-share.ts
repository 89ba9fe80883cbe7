/**
 * What the intakes of all connections of a shard share: memory for frames that have begun and are not whole, and slabs to land in.
 *
 * A PUBLISH within the credit of its channel has its memory in the budget of publishers already. All other frames that are not whole
 * share one pot: so thousands of peers that each begin a large frame and never end it are turned away one by one, and small frames
 * are read all the same.
 */
import type { Slabs } from '../broker/store/slabs.js'

const partialSizeMax = 8 * 1024 * 1024
/** Connections that have a slab of their own to land in. */
const bulkCountMax = 64

export class IntakeShare {
  readonly slabs: Slabs
  /** Bytes charged to the pot. */
  partialSize = 0
  #bulkCount = 0

  constructor(slabs: Slabs) {
    this.slabs = slabs
  }

  /** Charges `size` in place of `before`. False: there is no room for so much more. */
  charge(before: number, size: number): boolean {
    this.partialSize += size - before
    return size <= before || this.partialSize <= partialSizeMax
  }

  /** Whether one more connection may have a slab of its own to land in. */
  admitBulk(): boolean {
    if (this.#bulkCount >= bulkCountMax) return false
    this.#bulkCount++
    return true
  }

  bulkLeft(): void {
    this.#bulkCount--
  }
}
