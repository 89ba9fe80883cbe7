// Hot: the entries of queues. Typed arrays only.
/**
 * 1,024 consecutive places of a queue, and which of them are ready:
 *
 *     words   slab | offset | size | meta   4 x u32 a place          ids   message id, one f64 a place
 *     ready   one bit a place                                        live  places that hold a message
 *
 * `size` 0 means that nothing is there. Most queues are short: a page begins with room for 64 places and grows
 * when a place beyond it is used.
 */
import assert from 'node:assert'

export const pageBits = 10
export const pageSize = 1 << pageBits
const firstCapacity = 64
/** Bytes that a place takes. */
const placeSize = 24

/** meta: delivery count (12 bits) | failure count (12 bits) | flags. Counts stop at their maximum. */
export const Meta = {
  countMax: 0xfff,
  failureShift: 12,
  persistent: 1 << 24,
  /** Has been delivered before, or may have been. */
  redelivered: 1 << 25,
  /** Delivered and not settled. */
  unsettled: 1 << 26,
  /** Waiting for its time (a retry). */
  delayed: 1 << 27,
} as const

export class Page {
  words: Uint32Array
  ids: Float64Array
  readonly ready = new Uint32Array(pageSize / 32)
  readyCount = 0
  liveCount = 0
  /** No word of `ready` below this one has a bit. */
  readyFrom = 0
  /** Bytes of those records in it that are large: see Lane. */
  largeSize = 0
  /** It cannot become cold as long as anything is in it. */
  staysHot = false

  constructor(capacity: number) {
    this.words = new Uint32Array(capacity * 4)
    this.ids = new Float64Array(capacity)
  }

  /** `count` places from index `first` on become ready. */
  setReady(first: number, count: number): void {
    const { ready } = this
    for (let index = first, end = first + count; index < end; ) {
      const bits = Math.min(32 - (index & 31), end - index)
      ready[index >> 5] |= maskOf(bits) << (index & 31)
      index += bits
    }
    this.readyCount += count
  }

  /** `count` ready places from index `first` on are so no longer. */
  clearReady(first: number, count: number): void {
    const { ready } = this
    for (let index = first, end = first + count; index < end; ) {
      const bits = Math.min(32 - (index & 31), end - index)
      ready[index >> 5] &= ~(maskOf(bits) << (index & 31))
      index += bits
    }
    this.readyCount -= count
  }

  /** Counts anew what it holds, and adds it to `sum`; only so many of its places have been used. */
  measure(usedCount: number, sum: { ready: number; live: number; readySize: number; liveSize: number }): void {
    let ready = 0
    let live = 0
    for (let index = 0; index < this.ids.length; index++) {
      const size = index < usedCount ? this.words[(index << 2) + 2]! : 0
      if ((this.ready[index >> 5]! & (1 << (index & 31))) !== 0) {
        assert(size > 0, `place ${index} is ready and empty`)
        assert((this.words[(index << 2) + 3]! & (Meta.unsettled | Meta.delayed)) === 0, `place ${index} is ready and away`)
        ready++
        sum.readySize += size
      }
      if (size > 0) live++
      sum.liveSize += size
    }
    assert.equal(ready, this.readyCount)
    assert.equal(live, this.liveCount)
    for (let w = 0; w < this.readyFrom; w++) assert.equal(this.ready[w], 0)
    sum.ready += ready
    sum.live += live
  }

  /** Takes over the columns of a larger page, which gets the smaller ones. */
  swapColumns(larger: Page): void {
    const { words, ids } = this
    larger.words.set(words)
    larger.ids.set(ids)
    this.words = larger.words
    this.ids = larger.ids
    larger.words = words
    larger.ids = ids
  }
}

function maskOf(bits: number): number {
  return bits === 32 ? -1 : (1 << bits) - 1
}

/** Pages that were emptied, for the next queue that needs one; whole pages only, so that short queues stay small. */
export class PagePool {
  readonly #small: Page[] = []
  readonly #whole: Page[] = []
  /** Bytes of the pages that queues have. */
  usedSize = 0

  take(whole: boolean): Page {
    const page = (whole ? this.#whole : this.#small).pop() ?? new Page(whole ? pageSize : firstCapacity)
    this.usedSize += page.ids.length * placeSize
    return page
  }

  /** A page with room for so many places. */
  takeFor(count: number): Page {
    return this.take(count > firstCapacity)
  }

  /** Gives a small page room for all places. */
  grow(page: Page): void {
    const larger = this.take(true)
    page.swapColumns(larger)
    this.give(larger)
  }

  /** Takes back a page without a live place. Its words may hold anything: a place is written before it is read. */
  give(page: Page): void {
    this.usedSize -= page.ids.length * placeSize
    if (page.readyCount !== 0) {
      page.ready.fill(0)
      page.readyCount = 0
    }
    page.readyFrom = 0
    page.largeSize = 0
    page.staysHot = false
    const pool = page.ids.length === pageSize ? this.#whole : this.#small
    if (pool.length < 256) pool.push(page)
  }
}
