// A page takes part in this once as it leaves memory, once as it comes back; not for each message that passes.
/**
 * A page of a queue whose messages lie in the log and not in memory: which they are, and where in the page they were.
 *
 *     page       │ · x x x x · · x x x x x t x x x x x x x x x │          x kept   t not kept   · settled long ago
 *     cold page  ids 4,001 to 4,009 from index 1 · 4,020 to 4,155 from index 7 · 4,160 to 4,311 from index 13        18 bytes a range, for 24 a place and
 *                t at index 12, and its record                                                                       the records
 *
 * A page may be cold when all that is left in it is ready and synced, and what the log keeps of it has never been given to anybody: nothing but
 * ids need be remembered of that then. Its messages come back to the places that they had.
 */
import type { KeptRun } from '../durable.js'
import type { Slabs } from '../store/slabs.js'
import { Meta, type Page, pageSize } from './page.js'

/** A page with more gaps than these stays as it is. */
export const coldRangesMax = 128
/** What a cold page takes besides its ranges, about. */
const coldPageSize = 240
const rangeSize = 18
const otherSize = 26

const foundRanges = new Float64Array(coldRangesMax * 2)
const foundIndexes = new Uint16Array(coldRangesMax)
const foundOthers = new Uint16Array(pageSize)

/** Messages of a cold page that the log does not have. */
export interface OtherMessages {
  readonly indexes: Uint16Array
  /** As in a page. */
  readonly words: Uint32Array
  readonly ids: Float64Array
  readonly size: number
}

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
  readonly others: OtherMessages | undefined
  /** Purged, or come back. */
  isOver = false

  constructor(
    { count, size, ranges }: KeptRun,
    indexes: Uint16Array | undefined,
    meta: number,
    pageNumber: number,
    others: OtherMessages | undefined,
  ) {
    this.count = count
    this.size = size
    this.ranges = ranges
    this.indexes = indexes
    this.meta = meta
    this.pageNumber = pageNumber
    this.others = others
  }

  get firstId(): number {
    return this.ranges[0]
  }

  get lastId(): number {
    return this.ranges[this.ranges.length - 1]
  }

  /** Those that are kept, and the others. */
  get messageCount(): number {
    return this.count + (this.others === undefined ? 0 : this.others.indexes.length)
  }

  get messageSize(): number {
    return this.size + (this.others === undefined ? 0 : this.others.size)
  }

  /** Bytes that it takes, without the records of the others. */
  get usedSize(): number {
    return coldPageSize + (this.ranges.length >> 1) * rangeSize + (this.messageCount - this.count) * otherSize
  }

  /** Places that the page must have room for. */
  get placeCount(): number {
    const { others } = this
    const last = this.indexes === undefined ? (this.ranges.length >> 1) - 1 : this.indexes[this.indexes.length - 1]
    const lastOther = others === undefined ? 0 : others.indexes[others.indexes.length - 1] + 1
    return Math.min(pageSize, Math.max(last + this.count, lastOther))
  }
}

/**
 * What is left of a page, to make it cold; undefined if it has to stay: for good (then the page says so itself), or while something of it is away or not
 * synced. Every message with an id below `syncedId` is synced. Records of others have been copied to where they hold up no slab; those of the kept
 * messages are the caller's to release.
 */
export function coldPageOf(page: Page, pageNumber: number, syncedId: number, slabs: Slabs): ColdPage | undefined {
  if (page.staysHot || page.readyCount !== page.liveCount || page.readyCount === 0) return undefined
  const { words, ids, ready } = page
  let count = 0
  let size = 0
  let otherCount = 0
  let rangeCount = 0
  let meta = 0
  let previous = -2
  let lastId = 0
  for (let index = page.readyFrom << 5; count + otherCount < page.readyCount; index++) {
    if (((ready[index >> 5] >>> (index & 31)) & 1) === 0) continue
    const at = index << 2
    lastId = ids[index]
    if ((words[at + 3] & Meta.persistent) === 0) {
      foundOthers[otherCount++] = index
      continue
    }
    if (count === 0) meta = words[at + 3]
    if (words[at + 3] !== meta) return stays(page)
    if (index !== previous + 1) {
      if (rangeCount === coldRangesMax) return stays(page)
      foundRanges[rangeCount * 2] = lastId
      foundIndexes[rangeCount++] = index
    }
    foundRanges[rangeCount * 2 - 1] = lastId
    previous = index
    size += words[at + 2]
    count++
  }
  if (otherCount > count || (meta & ~Meta.redelivered) !== Meta.persistent) return stays(page)
  if (lastId >= syncedId) return undefined
  const run = { count, size, ranges: foundRanges.slice(0, rangeCount * 2) }
  const indexes = rangeCount === 1 && foundIndexes[0] === 0 ? undefined : foundIndexes.slice(0, rangeCount)
  return new ColdPage(
    run,
    indexes,
    meta,
    pageNumber,
    otherCount === 0 ? undefined : takeOthers(page, foundOthers.slice(0, otherCount), slabs),
  )
}

function stays(page: Page): undefined {
  page.staysHot = true
  return undefined
}

function takeOthers({ words, ids }: Page, indexes: Uint16Array, slabs: Slabs): OtherMessages {
  const others = { indexes, words: new Uint32Array(indexes.length * 4), ids: new Float64Array(indexes.length), size: 0 }
  for (const [i, index] of indexes.entries()) {
    const at = index << 2
    const size = words[at + 2]
    slabs.append(slabs.buffer(words[at]), words[at + 1], words[at + 1] + size)
    slabs.retain(slabs.slab, size)
    slabs.release(words[at], size)
    others.words.set([slabs.slab, slabs.offset, size, words[at + 3]], i * 4)
    others.ids[i] = ids[index]
    others.size += size
  }
  return others
}

/** Gives back the records of the others: they are gone. */
export function releaseOthers({ others }: ColdPage, slabs: Slabs): void {
  if (others === undefined) return
  for (let at = 0; at < others.words.length; at += 4) slabs.release(others.words[at], others.words[at + 2])
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

/** Gives back the records of the kept messages that are ready in a page. */
export function releaseKept({ words, ready, readyFrom }: Page, kept: number, slabs: Slabs): void {
  let slab = -1
  let size = 0
  for (let index = readyFrom << 5, left = kept; left > 0; index++) {
    if (((ready[index >> 5] >>> (index & 31)) & 1) === 0) continue
    const at = index << 2
    if ((words[at + 3] & Meta.persistent) === 0) continue
    left--
    if (words[at] !== slab) {
      if (size > 0) slabs.release(slab, size)
      slab = words[at]
      size = 0
    }
    size += words[at + 2]
  }
  if (size > 0) slabs.release(slab, size)
}

/** Gives back the records of `count` messages that stand from the start of a page. */
export function releaseFirst({ words }: Page, count: number, slabs: Slabs): void {
  for (let at = 0; at < count << 2; at += 4) slabs.release(words[at], words[at + 2])
}

/**
 * Puts `count` messages, which stand in order from the start of a page, where the cold page had them, and the others beside them; all of them are ready then.
 * The page has room for every place of it. Messages that are missing leave gaps behind their range.
 */
export function settleIn(page: Page, count: number, { ranges, indexes, meta, others }: ColdPage): void {
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
  for (let index = 0, left = count; left > 0; index++) {
    if (words[(index << 2) + 2] === 0) continue
    words[(index << 2) + 3] = meta
    ready[index >> 5] |= 1 << (index & 31)
    left--
  }
  page.readyFrom = 0
  page.readyCount = page.liveCount = count
  if (others === undefined) return
  for (const [i, index] of others.indexes.entries()) {
    words.set(others.words.subarray(i * 4, i * 4 + 4), index << 2)
    ids[index] = others.ids[i]
    ready[index >> 5] |= 1 << (index & 31)
  }
  page.readyCount = page.liveCount = count + others.indexes.length
}
