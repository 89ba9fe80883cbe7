// Hot: every message that is read back passes here.
/**
 * Cold pages of one queue on their way back to memory, one behind another, as blocks of the log pass by:
 *
 *     pages    ids 4,001 to 4,009, 4,020 to 4,311 │ ids 4,312 to 5,400 │ …           ids rise, and so they do in the log
 *     log      … │ RUN 3,990 to 4,100 │ RUN 4,101 to 4,200 │ …
 *                       4,001 to 4,009, 4,020 to 4,100 are copied to the page
 *
 * What is not where it was has been moved: then those blocks are read that may have it, and what they have is put in its place. What is not there either
 * is lost. A page that was purged meanwhile, or whose queue is gone, is passed over.
 */
import type { ColdPage } from '../broker/queues/cold-page.js'
import { releaseFirst } from '../broker/queues/cold-page.js'
import { runSizeMax } from '../broker/queues/consumer.js'
import type { Page } from '../broker/queues/page.js'
import type { Queue } from '../broker/queues/queue.js'
import type { Slabs } from '../broker/store/slabs.js'
import type { Position } from '../ports/log.js'
import type { IdIndex } from './id-index.js'
import type { MovedIndex } from './moved-index.js'
import type { RunCursor } from './run-cursor.js'

export interface ReadHome {
  readonly slabs: Slabs
  readonly index: IdIndex
  readonly moved: MovedIndex
  /** Messages of a queue are not in the log that should be. */
  missing(queue: Queue, count: number): void
}

export class QueueRead {
  readonly queue: Queue
  /** Where it reads next. */
  position: Position = 0
  /** Whether it looks for messages that have been moved, at `position` alone. */
  isLookingForMoved = false
  /** Bytes that are still to come, about. */
  leftSize = 0
  readonly #home: ReadHome
  readonly #pages: readonly ColdPage[]
  #next = 0
  #cold: ColdPage | undefined
  #page: Page | undefined
  #count = 0
  #size = 0
  /** Index of the range that is looked for. */
  #range = 0
  #movedTo: Position[] = []
  #servedFrom = Infinity
  #isServedMoved = false
  #found: Set<number> | undefined

  constructor(queue: Queue, pages: readonly ColdPage[], home: ReadHome) {
    this.queue = queue
    this.#pages = pages
    this.#home = home
    for (const { size } of pages) this.leftSize += size
    this.#turnPage()
  }

  get isDone(): boolean {
    return this.#cold === undefined
  }

  /** Whether it is going to read at such a position. */
  isAt(isThere: (position: Position) => boolean): boolean {
    return isThere(this.position) || this.#movedTo.some(isThere)
  }

  /** A piece of the log is there, from `from` to `next` (undefined: its end). False: the queue wants nothing of it. */
  begin(from: Position, next: Position | undefined): boolean {
    const { position } = this
    const isServed = position >= from && (next === undefined || position < next)
    this.#servedFrom = isServed ? position : Infinity
    this.#isServedMoved = this.isLookingForMoved
    return isServed
  }

  /** Whether a block of the piece at `position` may have something for it. */
  wants(position: Position): boolean {
    return this.#isServedMoved ? position === this.#servedFrom : position >= this.#servedFrom
  }

  /** A run of such a block whose messages the queue got. */
  take(run: RunCursor, isMoved: boolean): void {
    if (this.#isServedMoved) this.#takeMoved(run)
    else if (!isMoved) this.#take(run)
  }

  #take(run: RunCursor): void {
    while (this.#cold !== undefined && !this.isLookingForMoved) {
      const { ranges } = this.#cold
      if (this.#range === ranges.length) {
        this.#endPage()
        continue
      }
      const first = ranges[this.#range]
      const last = ranges[this.#range + 1]
      if (first > run.lastId) return
      if (last >= run.firstId) {
        this.#copy(run, Math.max(first, run.firstId), Math.min(last, run.lastId))
        if (this.#count === this.#cold.count) {
          this.#endPage()
          continue
        }
        if (last > run.lastId) return
      }
      this.#range += 2
    }
  }

  /** A block that was looked up may have some of the messages that are missing, in any order. */
  #takeMoved(run: RunCursor): void {
    const found = this.#found!
    const { ranges, count } = this.#cold!
    for (let range = 0; range < ranges.length; range += 2) {
      const last = Math.min(ranges[range + 1], run.lastId)
      for (let id = Math.max(ranges[range], run.firstId); id <= last && this.#count < count; id++) {
        if (found.has(id)) continue
        this.#copy(run, id, id)
        found.add(id)
      }
    }
  }

  /** The piece has passed. */
  end(next: Position | undefined): void {
    if (this.#cold === undefined) return
    if (this.#isServedMoved) this.#lookForMoved()
    else if (this.isLookingForMoved) return
    else if (next === undefined) this.#endPage()
    else this.position = Math.max(next, this.#home.index.find(this.#wantedId))
  }

  /** Nothing more will come. */
  stop(): void {
    this.#discard()
    this.#cold = undefined
    this.queue.isReading = false
  }

  get #wantedId(): number {
    const { ranges } = this.#cold!
    return ranges[Math.min(this.#range, ranges.length - 2)]
  }

  /** Copies the records of ids from `first` to `last`, as many as are still missing, in pieces that may leave memory apart from one another. */
  #copy(run: RunCursor, first: number, last: number): void {
    const page = this.#page!
    const { words, ids } = page
    const { slabs } = this.#home
    const end = Math.min(last, first + this.#cold!.count - this.#count - 1)
    if (!run.seek(first)) return
    while (run.id <= end && run.size > 0) {
      const from = run.at
      const firstIndex = this.#count
      do {
        const { size } = run
        if (size === 0 || (run.at + size - from > runSizeMax && run.at > from)) break
        const at = this.#count << 2
        words[at + 1] = run.at - from
        words[at + 2] = size
        ids[this.#count++] = run.id
        run.skip()
      } while (run.id <= end)
      slabs.append(run.bytes, from, run.at)
      const { slab, offset } = slabs
      slabs.retain(slab, run.at - from)
      this.#size += run.at - from
      for (let at = firstIndex << 2; at < this.#count << 2; at += 4) {
        words[at] = slab
        words[at + 1] += offset
      }
    }
  }

  /** The place in the log where its messages were has been read. */
  #endPage(): void {
    const cold = this.#cold!
    if (cold.isOver || this.queue.deleted) this.#discard()
    else if (this.#count < cold.count) {
      this.#movedTo = this.#home.moved.find(cold.firstId, cold.lastId)
      this.#found = new Set(this.#page!.ids.subarray(0, this.#count))
      this.isLookingForMoved = true
      this.#lookForMoved()
      return
    } else this.#handOver()
    this.#turnPage()
  }

  /** The next block that may have what is missing, or an end. */
  #lookForMoved(): void {
    const position = this.#count < this.#cold!.count ? this.#movedTo.shift() : undefined
    if (position !== undefined) {
      this.position = position
      return
    }
    this.isLookingForMoved = false
    this.#found = undefined
    const cold = this.#cold!
    if (cold.isOver || this.queue.deleted) this.#discard()
    else {
      sortById(this.#page!, this.#count)
      this.#handOver()
    }
    this.#turnPage()
  }

  #handOver(): void {
    const missing = this.queue.warm(this.#cold!, this.#page!, this.#count, this.#size)
    this.#page = undefined
    if (missing > 0) this.#home.missing(this.queue, missing)
  }

  #discard(): void {
    const page = this.#page
    if (page === undefined) return
    releaseFirst(page, this.#count, this.#home.slabs)
    this.queue.giveBack(page)
    this.#page = undefined
  }

  #turnPage(): void {
    if (this.#cold !== undefined) this.leftSize -= this.#cold.size
    this.#range = this.#count = this.#size = 0
    do this.#cold = this.#pages[this.#next++]
    while (this.#cold?.isOver)
    if (this.#cold === undefined) {
      this.queue.isReading = false
      return
    }
    this.#page = this.queue.pageForCold(this.#cold)
    this.position = this.#home.index.find(this.#cold.firstId)
  }
}

/** Puts the messages in order that stand at the start of a page. What has been moved is found last. */
function sortById({ words, ids }: Page, count: number): void {
  const order = Array.from({ length: count }, (_, i) => i).sort((a, b) => ids[a] - ids[b])
  const oldWords = words.slice(0, count << 2)
  const oldIds = ids.slice(0, count)
  for (const [to, from] of order.entries()) {
    ids[to] = oldIds[from]
    for (let i = 0; i < 4; i++) words[(to << 2) + i] = oldWords[(from << 2) + i]
  }
}
