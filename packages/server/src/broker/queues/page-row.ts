// Hot: last and drop, and whoever looks into `pages`. The rest is for pages that leave memory and come back.
/**
 * The pages of a lane by their numbers:
 *
 *     number    7      8      9      10
 *             │ page │ gone │ cold │ page │          what has gone leaves the row when it stands in front
 *              first                        end
 *
 * A page of the row is in memory, or cold (ColdPage), or gone. No page below `readyPage` has a ready place.
 */
import assert from 'node:assert'
import type { KeptRun } from '../durable.js'
import { type ColdPage, keptRunOf } from './cold-page.js'
import { type Page, type PagePool, pageBits, pageSize } from './page.js'

const indexMask = pageSize - 1
/** So many that have gone leave the row at once; fewer, when they are half of it. */
const trimFrom = 64

/** The number of the page of a place. */
export function pageNumber(place: number): number {
  return place < 0x40000000 ? place >> pageBits : Math.floor(place / pageSize)
}

/** What there is in some pages. */
export interface Measure {
  ready: number
  live: number
  readySize: number
  liveSize: number
}

export class PageRow {
  /** Those in memory; the first one has the number `first`. */
  readonly pages: (Page | undefined)[] = []
  first = 0
  readyPage = 0
  coldCount = 0
  readonly #pool: PagePool
  #cold: Map<number, ColdPage> | undefined

  constructor(pool: PagePool) {
    this.#pool = pool
  }

  /** The number behind that of the last page. */
  get end(): number {
    return this.first + this.pages.length
  }

  page(n: number): Page | undefined {
    return this.pages[n - this.first]
  }

  /** The page with this number, which is the last one, or a new one behind it. */
  last(n: number, isWhole: boolean): Page {
    const { pages } = this
    const i = n - this.first
    if (i === pages.length - 1) {
      const page = pages[i]
      if (page !== undefined) return page
    }
    const page = this.#pool.take(isWhole)
    this.set(n, page)
    return page
  }

  set(n: number, page: Page | undefined): void {
    if (this.pages.length === 0) this.first = this.readyPage = n
    this.pages[n - this.first] = page
  }

  /** Gives a page back: nothing is left in it. */
  drop(n: number): void {
    const i = n - this.first
    this.#pool.give(this.pages[i]!)
    this.pages[i] = undefined
    this.trim()
  }

  /** Gives all pages back; none of them is cold. */
  clear(): void {
    for (const page of this.pages) if (page !== undefined) this.#pool.give(page)
    this.pages.length = 0
  }

  /** Forgets pages at the front that have gone, now and then. */
  trim(): void {
    const { pages } = this
    let gone = 0
    while (gone < pages.length && pages[gone] === undefined && !this.isCold(this.first + gone)) gone++
    if (gone === pages.length) {
      pages.length = 0
      return
    }
    if (gone >= trimFrom || gone * 2 >= pages.length) {
      pages.splice(0, gone)
      this.first += gone
      if (this.readyPage < this.first) this.readyPage = this.first
    }
  }

  // ─── cold pages ─────────────────────────────────────────────────────────

  isCold(n: number): boolean {
    return this.coldCount > 0 && this.#cold!.has(n)
  }

  cold(n: number): ColdPage | undefined {
    return this.#cold?.get(n)
  }

  /** The page with its number is cold from now on, or comes into the row like that. */
  setCold(cold: ColdPage): void {
    this.set(cold.pageNumber, undefined)
    this.#cold ??= new Map()
    this.#cold.set(cold.pageNumber, cold)
    this.coldCount++
    this.#pool.usedSize += cold.usedSize
  }

  /** It is over: gone, until `set` brings its page. */
  removeCold(cold: ColdPage): void {
    cold.isOver = true
    this.#cold!.delete(cold.pageNumber)
    this.coldCount--
    this.#pool.usedSize -= cold.usedSize
  }

  /** The first cold page at or behind a number. */
  nextCold(from: number): ColdPage | undefined {
    if (this.coldCount === 0) return undefined
    for (let n = Math.max(from, this.first); n < this.end; n++) {
      const cold = this.page(n) === undefined ? this.#cold!.get(n) : undefined
      if (cold !== undefined) return cold
    }
    return undefined
  }

  // ─── looking through ────────────────────────────────────────────────────

  /** All that the log keeps of these pages, in order. */
  *keptRuns(): Iterable<KeptRun> {
    for (const [i, page] of this.pages.entries()) {
      const run = page === undefined ? this.cold(this.first + i) : keptRunOf(page)
      if (run !== undefined) yield run
    }
  }

  /** The first place at or behind `from`, and before `next`, that holds a message in memory, or -1. */
  seek(from: number, next: number): number {
    let n = Math.max(pageNumber(from), this.first)
    let index = n === pageNumber(from) ? from & indexMask : 0
    for (; n < this.end; n++, index = 0) {
      const page = this.page(n)
      if (page === undefined) continue
      for (; index < page.ids.length; index++) {
        const place = n * pageSize + index
        if (place >= next) return -1
        if (page.words[(index << 2) + 2] !== 0) return place
      }
    }
    return -1
  }

  /** Counts everything anew; places from `next` on are not used yet. */
  measure(next: number): Measure {
    const sum: Measure = { ready: 0, live: 0, readySize: 0, liveSize: 0 }
    for (const [n, cold] of this.#cold ?? []) {
      assert.equal(n, cold.pageNumber)
      assert(!cold.isOver && cold.count > 0 && cold.count <= pageSize)
      assert(n >= this.readyPage && n >= this.first && n < this.end)
      assert(this.page(n) === undefined)
      sum.ready += cold.messageCount
      sum.live += cold.messageCount
      sum.readySize += cold.messageSize
      sum.liveSize += cold.messageSize
    }
    assert.equal(this.#cold?.size ?? 0, this.coldCount)
    for (const [i, page] of this.pages.entries()) {
      if (page === undefined) continue
      const n = this.first + i
      page.measure(next - n * pageSize, sum)
      if (page.readyCount > 0) assert(n >= this.readyPage)
    }
    return sum
  }
}
