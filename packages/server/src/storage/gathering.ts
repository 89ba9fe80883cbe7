// Hot: written for each run of kept messages, and for each range that is gone. Typed arrays only.
/**
 * What a turn has said to the journal, as columns, until it becomes entries:
 *
 *     runs     slab, offset, size, first id, count, route        neighbours in a slab with consecutive ids and one route are one run
 *     ranges   queue, next place, first id, last id, count, size neighbours in a page of a queue are one range
 *
 * A range ends where its page does: so what it ends lies in one run of any snapshot, whose count and size it makes less.
 */
import type { KeptRoute } from '../broker/journal.js'
import { pageSize } from '../broker/queues/page.js'
import type { Slabs } from '../broker/store/slabs.js'

const capacityFirst = 64
/** Columns larger than this are given back after a turn that needed them. */
const capacityIdle = 16 * 1024
/** Queues whose last range is remembered, at slots by their number. */
const slotCount = 256

export class Gathering {
  readonly #slabs: Slabs

  runCount = 0
  runSlabs = new Uint32Array(capacityFirst)
  runOffsets = new Float64Array(capacityFirst)
  runSizes = new Float64Array(capacityFirst)
  runIds = new Float64Array(capacityFirst)
  runCounts = new Uint32Array(capacityFirst)
  /** Whether a run must be kept with the one before it, or not at all. */
  runGlued = new Uint8Array(capacityFirst)
  runRoutes: KeptRoute[] = []

  rangeCount = 0
  rangeQueues = new Uint32Array(capacityFirst)
  rangePlaces = new Float64Array(capacityFirst)
  rangeFirsts = new Float64Array(capacityFirst)
  rangeLasts = new Float64Array(capacityFirst)
  rangeCounts = new Uint32Array(capacityFirst)
  rangeSizes = new Float64Array(capacityFirst)
  readonly #slots = new Int32Array(slotCount).fill(-1)

  readonly #pinned: number[] = []
  #isTogether = false
  #togetherCount = 0

  constructor(slabs: Slabs) {
    this.#slabs = slabs
  }

  get isEmpty(): boolean {
    return this.runCount === 0 && this.rangeCount === 0
  }

  messages(route: KeptRoute, slab: number, offset: number, size: number, firstId: number, count: number): void {
    const last = this.runCount - 1
    if (
      last >= 0 &&
      this.runOffsets[last] + this.runSizes[last] === offset &&
      this.runSlabs[last] === slab &&
      this.runIds[last] + this.runCounts[last] === firstId &&
      this.runRoutes[last] === route
    ) {
      this.runSizes[last] += size
      this.runCounts[last] += count
      if (this.#isTogether) this.#togetherCount += count
      return
    }
    if (this.runCount === this.runIds.length) this.#growRuns()
    const i = this.runCount++
    this.runSlabs[i] = slab
    this.runOffsets[i] = offset
    this.runSizes[i] = size
    this.runIds[i] = firstId
    this.runCounts[i] = count
    this.runGlued[i] = this.#isTogether && this.#togetherCount > 0 ? 1 : 0
    this.runRoutes[i] = route
    if (this.#isTogether) this.#togetherCount += count
    if (this.#pinned.length === 0 || this.#pinned[this.#pinned.length - 1] !== slab) {
      this.#slabs.pin(slab)
      this.#pinned.push(slab)
    }
  }

  gone(queue: number, place: number, count: number, firstId: number, lastId: number, size: number): void {
    const slot = queue & (slotCount - 1)
    const last = this.#slots[slot]
    if (
      last >= 0 &&
      last < this.rangeCount &&
      this.rangeQueues[last] === queue &&
      this.rangePlaces[last] === place &&
      (place & (pageSize - 1)) !== 0
    ) {
      this.rangePlaces[last] = place + count
      this.rangeLasts[last] = lastId
      this.rangeCounts[last] += count
      this.rangeSizes[last] += size
      return
    }
    if (this.rangeCount === this.rangeQueues.length) this.#growRanges()
    const i = this.rangeCount++
    this.rangeQueues[i] = queue
    this.rangePlaces[i] = place + count
    this.rangeFirsts[i] = firstId
    this.rangeLasts[i] = lastId
    this.rangeCounts[i] = count
    this.rangeSizes[i] = size
    this.#slots[slot] = i
  }

  together(isBegun: boolean): void {
    this.#isTogether = isBegun
    this.#togetherCount = 0
  }

  /** It has become entries, or will not. */
  clear(): void {
    for (const slab of this.#pinned) this.#slabs.unpin(slab)
    this.#pinned.length = 0
    this.runCount = 0
    this.rangeCount = 0
    this.runRoutes.length = 0
    if (this.runIds.length > capacityIdle) this.#resizeRuns(capacityFirst)
    if (this.rangeQueues.length > capacityIdle) this.#resizeRanges(capacityFirst)
  }

  #growRuns(): void {
    this.#resizeRuns(this.runIds.length * 4)
  }

  #resizeRuns(capacity: number): void {
    this.runSlabs = copied(this.runSlabs, new Uint32Array(capacity))
    this.runOffsets = copied(this.runOffsets, new Float64Array(capacity))
    this.runSizes = copied(this.runSizes, new Float64Array(capacity))
    this.runIds = copied(this.runIds, new Float64Array(capacity))
    this.runCounts = copied(this.runCounts, new Uint32Array(capacity))
    this.runGlued = copied(this.runGlued, new Uint8Array(capacity))
  }

  #growRanges(): void {
    this.#resizeRanges(this.rangeQueues.length * 4)
  }

  #resizeRanges(capacity: number): void {
    this.rangeQueues = copied(this.rangeQueues, new Uint32Array(capacity))
    this.rangePlaces = copied(this.rangePlaces, new Float64Array(capacity))
    this.rangeFirsts = copied(this.rangeFirsts, new Float64Array(capacity))
    this.rangeLasts = copied(this.rangeLasts, new Float64Array(capacity))
    this.rangeCounts = copied(this.rangeCounts, new Uint32Array(capacity))
    this.rangeSizes = copied(this.rangeSizes, new Float64Array(capacity))
  }
}

type Column = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

function copied<A extends Column>(from: A, to: A): A {
  if (to.length >= from.length) to.set(from)
  return to
}
