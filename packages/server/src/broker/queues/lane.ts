// Hot: the index of a queue. Typed arrays only; no allocation but for pages.
/**
 * The places of a queue in order, as pages:
 *
 *     first page                                  last page
 *     │x·x·····││········││ cold: 1,024 ││xxxxx───│          · settled   x ready or away   ─ not used yet
 *
 * A message's place is its number for ever. Taking is the first ready bit, requeueing sets the bit again, settling
 * empties the place, browsing is a cursor: each in constant time. A page whose last message has gone is given back,
 * wherever it stands; so one message that nobody settles keeps a page, not all that came behind it.
 *
 * A page whose messages the log has may be cold (ColdPage): its messages are counted, and nothing but the ranges of their ids is in memory.
 */
import assert from 'node:assert'
import { type KeptRun, keptRunSizeMax } from '../durable.js'
import type { Slabs } from '../store/slabs.js'
import { ColdPage, coldPageOf, releaseKept, releaseOthers, settleIn } from './cold-page.js'
import { Meta, type Page, type PagePool, pageSize } from './page.js'
import { PageRow, pageNumber } from './page-row.js'

const indexMask = pageSize - 1
/** An empty lane whose next place has this index in its page begins a new page. */
const restartFrom = 64
/** A page of smaller records cannot become larger than a cold page may be. */
const largeFrom = keptRunSizeMax / pageSize
/** What `firstReady` says of a message that has to be read first. */
export const isCold = -2

export class Lane {
  readonly #pool: PagePool
  readonly #row: PageRow
  #next = 0
  found: Page | undefined
  foundIndex = 0
  readyCount = 0
  liveCount = 0
  /** Bytes of records that are ready. */
  readySize = 0
  /** Bytes of records, ready or away. */
  liveSize = 0

  constructor(pool: PagePool) {
    this.#pool = pool
    this.#row = new PageRow(pool)
  }

  get coldCount(): number {
    return this.#row.coldCount
  }

  /** The place that the next message will take. */
  get nextPlace(): number {
    return this.#next
  }

  /** Adds a message behind the last; it is ready. Returns its place. */
  push(slab: number, offset: number, size: number, id: number, meta: number): number {
    let place = this.#next
    if (this.liveCount === 0 && (place & indexMask) >= restartFrom) place = this.#restart()
    if (size > largeFrom) place = this.#placeOfLarge(place, size)
    const page = this.#pageFor(place, this.liveCount)
    const index = place & indexMask
    if (index >= page.ids.length) this.#pool.grow(page)
    const words = page.words
    const at = index << 2
    words[at] = slab
    words[at + 1] = offset
    words[at + 2] = size
    words[at + 3] = meta
    page.ids[index] = id
    page.ready[index >> 5]! |= 1 << (index & 31)
    page.readyCount++
    page.liveCount++
    this.readyCount++
    this.liveCount++
    this.readySize += size
    this.liveSize += size
    this.#next = place + 1
    return place
  }

  /**
   * Adds `count` messages whose records lie side by side from `offset` on and whose ids follow on `id`; the size of each stands in `sizes`, from index
   * `from` on. It costs a third of as many calls of `push`.
   */
  pushRun(slab: number, offset: number, sizes: Uint32Array, from: number, count: number, id: number, meta: number): void {
    if (this.liveCount === 0 && (this.#next & indexMask) >= restartFrom) this.#next = this.#restart()
    for (let done = 0; done < count; ) {
      if (sizes[from + done] > largeFrom) {
        const size = sizes[from + done]
        this.push(slab, offset, size, id + done, meta)
        offset += size
        done++
        continue
      }
      const sizeBefore = this.liveSize
      done += this.#fill(slab, offset, sizes, from + done, count - done, id + done, meta)
      offset += this.liveSize - sizeBefore
    }
  }

  /** Adds those of a run that come before the end of the page and before a large record. Returns how many. */
  #fill(slab: number, offset: number, sizes: Uint32Array, from: number, count: number, id: number, meta: number): number {
    const first = this.#next & indexMask
    const page = this.#pageFor(this.#next, this.liveCount + count)
    const countMax = Math.min(count, pageSize - first)
    if (first + countMax > page.ids.length) this.#pool.grow(page)
    const { words, ids } = page
    let end = offset
    let filled = 0
    for (let at = first << 2; filled < countMax; filled++, at += 4) {
      const size = sizes[from + filled]
      if (size > largeFrom) break
      words[at] = slab
      words[at + 1] = end
      words[at + 2] = size
      words[at + 3] = meta
      ids[first + filled] = id + filled
      end += size
    }
    page.setReady(first, filled)
    page.liveCount += filled
    this.readyCount += filled
    this.liveCount += filled
    this.readySize += end - offset
    this.liveSize += end - offset
    this.#next += filled
    return filled
  }

  /** Where a large record goes: at `place`, or in the next page when this one has as many bytes as a cold page may have. */
  #placeOfLarge(place: number, size: number): number {
    const page = this.#pageFor(place, this.liveCount)
    if (page.largeSize + size <= keptRunSizeMax || (place & indexMask) === 0) {
      page.largeSize += size
      return place
    }
    const next = this.#closePage(page, place)
    this.#pageFor(next, this.liveCount).largeSize += size
    return next
  }

  /** Adds a page of messages whose records lie in the log, behind the last. They may have been delivered before. */
  restore(run: KeptRun): void {
    assert(run.count > 0 && run.count + run.ranges.length / 2 - 1 <= pageSize)
    const n = Math.ceil(this.#next / pageSize)
    this.#row.setCold(new ColdPage(run, undefined, Meta.persistent | Meta.redelivered, n, undefined))
    this.readyCount += run.count
    this.liveCount += run.count
    this.readySize += run.size
    this.liveSize += run.size
    this.#next = (n + 1) * pageSize
  }

  /**
   * The first ready place, or -1; its page and index are in `found` and `foundIndex`. It stays ready until `take`. `isCold` says that the first ready
   * message lies in a cold page: nothing can be taken until `warm`.
   */
  firstReady(): number {
    if (this.readyCount === 0) return -1
    const row = this.#row
    const { pages, first } = row
    for (let n = row.readyPage; ; n++) {
      const page = pages[n - first]
      if (page === undefined) {
        if (!row.isCold(n)) continue
        row.readyPage = n
        return isCold
      }
      if (page.readyCount === 0) continue
      row.readyPage = n
      const ready = page.ready
      for (let w = page.readyFrom; ; w++) {
        const bits = ready[w]
        if (bits === 0) continue
        page.readyFrom = w
        this.found = page
        this.foundIndex = (w << 5) + 31 - Math.clz32(bits & -bits)
        return n * pageSize + this.foundIndex
      }
    }
  }

  /** Takes `count` ready places, in all `size` bytes, from the one that `firstReady` has found: they are away now. */
  takeFound(count: number, size: number): void {
    this.found!.clearReady(this.foundIndex, count)
    this.readyCount -= count
    this.readySize -= size
  }

  /** Takes any ready place. */
  take(place: number): void {
    this.found = this.page(place)!
    this.foundIndex = place & indexMask
    this.takeFound(1, this.found.words[(this.foundIndex << 2) + 2])
  }

  /** Puts a place that is away back: ready, where it was. */
  putBack(place: number): void {
    const page = this.page(place)!
    const index = place & indexMask
    page.ready[index >> 5]! |= 1 << (index & 31)
    page.readyCount++
    if (index >> 5 < page.readyFrom) page.readyFrom = index >> 5
    this.readyCount++
    this.readySize += page.words[(index << 2) + 2]!
    const n = pageNumber(place)
    if (n < this.#row.readyPage) this.#row.readyPage = n
  }

  /** Empties a place that is away. The caller releases the bytes. */
  remove(place: number): void {
    this.removeRun(place, 1, this.page(place)!.words[((place & indexMask) << 2) + 2])
  }

  /** Empties places of one page that are away, in all `size` bytes. The caller releases the bytes. */
  removeRun(place: number, count: number, size: number): void {
    const page = this.page(place)!
    const { words } = page
    for (let at = ((place & indexMask) << 2) + 2, end = at + count * 4; at < end; at += 4) words[at] = 0
    this.liveCount -= count
    this.liveSize -= size
    page.liveCount -= count
    if (page.liveCount === 0) this.#drop(place)
  }

  /** The page of a place, or undefined when nothing of that page is left. */
  page(place: number): Page | undefined {
    const { pages, first } = this.#row
    return pages[pageNumber(place) - first]
  }

  /** Whether a message is at the place. */
  has(place: number): boolean {
    const page = this.page(place)
    if (page === undefined) return false
    const index = place & indexMask
    return index < page.ids.length && place < this.#next && page.words[(index << 2) + 2] !== 0
  }

  // ─── cold pages ─────────────────────────────────────────────────────────

  /**
   * Cold pages that will be needed next: those among the first `sizeMax` bytes that are ready, and the first page even if it is larger. None, as long as
   * half of that lies before them: so that many are read at a time.
   */
  coldAhead(sizeMax: number, into: ColdPage[]): void {
    const row = this.#row
    if (row.coldCount === 0) return
    const sizeOfOne = this.#sizeOfOne
    let left = sizeMax
    for (let n = row.readyPage; left > 0 && n < row.end; n++) {
      const page = row.page(n)
      const cold = page === undefined ? row.cold(n) : undefined
      if (cold !== undefined) {
        if (into.length === 0 ? left * 2 < sizeMax : left < cold.messageSize) return
        into.push(cold)
      }
      left -= cold?.messageSize ?? (page === undefined ? 0 : page.readyCount * sizeOfOne)
    }
  }

  /**
   * Lets pages go whose messages can be read again, the last ones first; those below page number `from` stay. Returns how many went, at most
   * `countMax`; about `looksMax` pages are looked at.
   */
  chill(from: number, countMax: number, looksMax: number, syncedId: number, slabs: Slabs): number {
    const row = this.#row
    let count = 0
    const first = Math.max(row.first, from)
    const open = (this.#next & indexMask) === 0 ? -1 : pageNumber(this.#next)
    for (let n = row.end - 1; n >= first && count < countMax && looksMax > 0; n--) {
      const page = row.page(n)
      if (page === undefined || page.staysHot || n === open) continue
      looksMax--
      const cold = coldPageOf(page, n, syncedId, slabs)
      if (cold === undefined) continue
      releaseKept(page, cold.count, slabs)
      page.liveCount = 0
      this.#pool.give(page)
      row.setCold(cold)
      count++
    }
    return count
  }

  /** Ends the page that is being filled, so that it may become cold, if it holds `sizeMin` bytes, as messages are on average. */
  endPage(sizeMin: number): void {
    const place = this.#next
    const page = this.page(place)
    if (page === undefined || (place & indexMask) === 0 || page.liveCount === 0 || page.liveCount * this.#sizeOfOne < sizeMin) return
    this.#next = this.#closePage(page, place)
  }

  /** The page that the next message is taken from, or one before it. */
  get readyPage(): number {
    return this.#row.readyPage
  }

  /** The number of a page that lies about `size` bytes behind the one that the next message is taken from. */
  pageBehind(size: number): number {
    const sizeOfPage = Math.min(keptRunSizeMax, Math.max(1, this.#sizeOfOne) * pageSize)
    return this.readyPage + 1 + Math.ceil(size / sizeOfPage)
  }

  /** An empty page with room for the messages of a cold one: they are written to it from its start on, in the order of their ids. */
  pageForCold(cold: ColdPage): Page {
    return this.#pool.takeFor(cold.placeCount)
  }

  /** A page from `pageForCold` is not needed. The caller has released what was in it. */
  giveBack(page: Page): void {
    this.#pool.give(page)
  }

  /** The messages of a cold page are in memory again: `count` of them, `size` bytes. Returns how many are missing; they count no longer. */
  warm(cold: ColdPage, page: Page, count: number, size: number): number {
    assert(!cold.isOver && count <= cold.count)
    this.#row.removeCold(cold)
    const missing = cold.count - count
    this.readyCount -= missing
    this.liveCount -= missing
    this.readySize += size - cold.size
    this.liveSize += size - cold.size
    if (count > 0 || cold.others !== undefined) {
      settleIn(page, count, cold)
      this.#row.set(cold.pageNumber, page)
    } else {
      this.#pool.give(page)
      this.#row.trim()
    }
    return missing
  }

  /** Drops a cold page: its messages are gone. */
  forget(cold: ColdPage, slabs: Slabs): void {
    this.#row.removeCold(cold)
    releaseOthers(cold, slabs)
    this.readyCount -= cold.messageCount
    this.liveCount -= cold.messageCount
    this.readySize -= cold.messageSize
    this.liveSize -= cold.messageSize
    this.#row.trim()
  }

  /** The first cold page at or behind a page number. */
  nextCold(from: number): ColdPage | undefined {
    return this.#row.nextCold(from)
  }

  /** All that the log keeps of this lane, in order. */
  keptRuns(): Iterable<KeptRun> {
    return this.#row.keptRuns()
  }

  /** The first place at or behind `from` that holds a message in memory, or -1: a cursor for browsing and moving. */
  seek(from: number): number {
    return this.#row.seek(from, this.#next)
  }

  invariants(): void {
    const { ready, live, readySize, liveSize } = this.#row.measure(this.#next)
    assert.equal(ready, this.readyCount)
    assert.equal(live, this.liveCount)
    assert.equal(readySize, this.readySize)
    assert.equal(liveSize, this.liveSize)
  }

  /** Bytes of a record, on average. */
  get #sizeOfOne(): number {
    return this.liveCount === 0 ? 0 : this.liveSize / this.liveCount
  }

  /** The page of the next place; a new one is whole if the lane has, or is about to have, more than a few messages. */
  #pageFor(place: number, liveCount: number): Page {
    return this.#row.last(pageNumber(place), liveCount >= 64)
  }

  /** An empty lane goes on at the beginning of a page, so that a short queue needs the first places of small pages only. */
  #restart(): number {
    this.#row.clear()
    return Math.ceil(this.#next / pageSize) * pageSize
  }

  /** Gives back the page of a place: nothing is left in it. The last page stays while places in it are still to come. */
  #drop(place: number): void {
    const row = this.#row
    const n = pageNumber(place)
    if (n === row.end - 1 && pageNumber(this.#next) === n && (this.liveCount > 0 || n === row.first)) return
    row.drop(n)
  }

  /** Nothing more comes into this page, though it has room; its other places are empty for ever. Returns the first place of the next one. */
  #closePage(page: Page, place: number): number {
    const index = place & indexMask
    if (index < page.ids.length) page.words.fill(0, index << 2)
    return place - index + pageSize
  }
}
