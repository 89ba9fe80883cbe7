// A page takes part in this once as it leaves memory, once as it comes back; not for each message that passes.
/**
 * A page of a queue whose messages lie in the log and not in memory: which they are, and where in the page they were.
 *
 *     page       │ · x x x x · · x x x x x x x x x x x x x x x │          x ready   · settled long ago
 *     cold page  ids 4,001 to 4,009 from index 1 · ids 4,020 to 4,311 from index 7        24 bytes a range, for 24 a place and the records
 *
 * A page may be cold when all that is left in it is ready, kept by the log and synced, and has never been given to anybody: nothing but
 * ids need be remembered then. Its messages come back to the places that they had.
 */
import type { KeptRun } from '../durable.js'
import type { Slabs } from '../store/slabs.js'
import { Meta, type Page } from './page.js'

/** A page with more gaps than these stays as it is. */
export const coldRangesMax = 12
/** What a cold page takes, about. */
export const coldPageSize = 256

const foundRanges = new Float64Array(coldRangesMax * 2)
const foundIndexes = new Uint16Array(coldRangesMax)

export class ColdPage implements KeptRun {
  readonly count: number
  readonly size: number
  readonly ranges: Float64Array
  /** Where in the page the messages of each range begin; undefined: from the start on, with an empty place between two ranges. */
  readonly indexes: Uint16Array | undefined
  /** What the messages carry, all the same. */
  readonly meta: number
  /** The number of the page in its lane. */
  readonly pageNumber: number
  /** Purged, or come back. */
  isOver = false

  constructor({ count, size, ranges }: KeptRun, indexes: Uint16Array | undefined, meta: number, pageNumber: number) {
    this.count = count
    this.size = size
    this.ranges = ranges
    this.indexes = indexes
    this.meta = meta
    this.pageNumber = pageNumber
  }

  get firstId(): number {
    return this.ranges[0]
  }

  get lastId(): number {
    return this.ranges[this.ranges.length - 1]
  }
}

/**
 * What is left of a page, to make it cold; undefined if it has to stay: for good (then the page says so itself), or while something of it is away or not
 * synced. Every message with an id below `syncedId` is synced.
 */
export function coldPageOf(page: Page, pageNumber: number, syncedId: number): ColdPage | undefined {
  if (page.staysHot || page.readyCount !== page.liveCount || page.readyCount === 0) return undefined
  const { words, ids, ready } = page
  let count = 0
  let size = 0
  let rangeCount = 0
  let meta = 0
  let previous = -2
  for (let index = page.readyFrom << 5; count < page.readyCount; index++) {
    if (((ready[index >> 5] >>> (index & 31)) & 1) === 0) continue
    const at = index << 2
    if (count === 0) meta = words[at + 3]
    if (words[at + 3] !== meta) return stays(page)
    if (index !== previous + 1) {
      if (rangeCount === coldRangesMax) return stays(page)
      foundRanges[rangeCount * 2] = ids[index]
      foundIndexes[rangeCount++] = index
    }
    foundRanges[rangeCount * 2 - 1] = ids[index]
    previous = index
    size += words[at + 2]
    count++
  }
  if ((meta & ~Meta.redelivered) !== Meta.persistent) return stays(page)
  if (ids[previous] >= syncedId) return undefined
  const run = { count, size, ranges: foundRanges.slice(0, rangeCount * 2) }
  return new ColdPage(run, rangeCount === 1 && foundIndexes[0] === 0 ? undefined : foundIndexes.slice(0, rangeCount), meta, pageNumber)
}

function stays(page: Page): undefined {
  page.staysHot = true
  return undefined
}

/** What a hot page holds that the log keeps, in ranges; undefined if there is nothing. What is not kept does not part neighbours: the log does not have it. */
export function keptRunOf(page: Page): KeptRun | undefined {
  const { words, ids } = page
  const ranges: number[] = []
  let count = 0
  let size = 0
  let isNeighbour = false
  for (let index = 0, left = page.liveCount; left > 0; index++) {
    const at = index << 2
    if (words[at + 2] === 0) {
      isNeighbour = false
      continue
    }
    left--
    if ((words[at + 3] & Meta.persistent) === 0) continue
    if (isNeighbour) ranges[ranges.length - 1] = ids[index]
    else ranges.push(ids[index], ids[index])
    isNeighbour = true
    count++
    size += words[at + 2]
  }
  return count === 0 ? undefined : { count, size, ranges: Float64Array.from(ranges) }
}

/** Gives back the bytes of `count` records that stand from the start of a page, or are ready in it. */
export function releaseRecords({ words, ready, readyFrom }: Page, count: number, slabs: Slabs, isReady: boolean): void {
  let slab = -1
  let size = 0
  for (let index = isReady ? readyFrom << 5 : 0; count > 0; index++) {
    if (isReady && ((ready[index >> 5] >>> (index & 31)) & 1) === 0) continue
    count--
    const at = index << 2
    if (words[at] !== slab) {
      if (size > 0) slabs.release(slab, size)
      slab = words[at]
      size = 0
    }
    size += words[at + 2]
  }
  if (size > 0) slabs.release(slab, size)
}

/**
 * Puts `count` messages, which stand in order from the start of a page, where the cold page had them; all of them are ready then.
 * The page has room for every place of it. Messages that are missing leave gaps behind their range.
 */
export function settleIn(page: Page, count: number, { ranges, indexes, meta }: ColdPage): void {
  const { words, ids, ready } = page
  words.fill(0, count << 2)
  if (indexes !== undefined || ranges.length > 2) {
    // From the last range on: each message goes to a place at or behind the one it stands in, which nobody before it needs. Ranges never become
    // neighbours: between two of them the log has messages that are gone.
    for (let range = ranges.length / 2 - 1, end = count; range >= 0; range--) {
      let from = end
      while (from > 0 && ids[from - 1] >= ranges[range * 2]) from--
      const first = indexes === undefined ? from + range : indexes[range]
      for (let i = end - 1; i >= from; i--) {
        const to = first + i - from
        if (to === i) continue
        words.copyWithin(to << 2, i << 2, (i + 1) << 2)
        ids[to] = ids[i]
        words[(i << 2) + 2] = 0
      }
      end = from
    }
  }
  page.readyFrom = 0
  page.readyCount = page.liveCount = count
  for (let index = 0, left = count; left > 0; index++) {
    if (words[(index << 2) + 2] === 0) continue
    words[(index << 2) + 3] = meta
    ready[index >> 5] |= 1 << (index & 31)
    left--
  }
}
