/**
 * The messages of one queue while recovery replays the log:
 *
 *     runs of the snapshot      │ pages of the tail
 *     ranges, count, size       │ each message            ids rise from left to right
 *
 * A GONE says how many messages and bytes have ended between two ids. Those of the tail are known one by one; what is left of the count belongs to the
 * snapshot. A GONE never spans two runs of a snapshot in part: the journal ends it where a page of the queue's index ends, and a run is such a page.
 */
import { type KeptRun, keptRunSizeMax } from '../broker/durable.js'
import { RecoveredRun } from './recovered-run.js'
import { TailPage, tailPageSize } from './tail-page.js'

/** Neighbouring pages of the tail become one run as long as it has no more ranges. */
const joinedRangesMax = 12

export class RecoveredQueue {
  readonly #runs: (RecoveredRun | undefined)[]
  readonly #runIds: number[]
  readonly #pages: (TailPage | undefined)[] = []
  readonly #pageIds: number[] = []

  constructor(runs: readonly KeptRun[] = []) {
    this.#runs = runs.map((run) => new RecoveredRun(run))
    this.#runIds = runs.map(({ ranges }) => ranges[0])
  }

  /** Messages with consecutive ids, above all that have come; their sizes lie in `sizes` from 0 on. */
  add(firstId: number, count: number, sizes: Uint32Array): void {
    for (let added = 0; added < count; ) {
      const share = this.#pages.at(-1)?.add(firstId + added, count - added, sizes, added) ?? 0
      if (share === 0) {
        this.#pages.push(new TailPage(firstId + added))
        this.#pageIds.push(firstId + added)
      }
      added += share
    }
  }

  /** The `count` messages from id `first` to `last` are gone, with records of `size` bytes. False: what the log says cannot be so. */
  gone(first: number, last: number, count: number, size: number): boolean {
    for (let i = place(this.#pageIds, first); i < this.#pages.length && this.#pageIds[i] <= last; i++) {
      const page = this.#pages[i]
      if (page === undefined || page.lastId < first) continue
      const { liveCount, liveSize } = page
      const isWhole = first <= page.firstId && last >= page.lastId && i < this.#pages.length - 1
      if (!isWhole) page.drop(first, last)
      count -= isWhole ? liveCount : liveCount - page.liveCount
      size -= isWhole ? liveSize : liveSize - page.liveSize
      // The last one stays, for what is still to come.
      if (isWhole || (page.liveCount === 0 && i < this.#pages.length - 1)) this.#pages[i] = undefined
    }
    return count <= 0 || this.#goneFromRuns(first, last, count, size)
  }

  /** What is left, in order. */
  left(): KeptRun[] {
    const left: KeptRun[] = []
    for (const run of this.#runs) if (run !== undefined) left.push({ count: run.count, size: run.size, ranges: run.ranges })
    let joined: KeptRun | undefined
    for (const page of this.#pages) {
      if (page === undefined || page.liveCount === 0) continue
      const run = page.run()
      if (
        joined !== undefined &&
        joined.ranges.length + run.ranges.length <= joinedRangesMax * 2 &&
        joined.count + run.count + joinedRangesMax <= tailPageSize &&
        joined.size + run.size <= keptRunSizeMax
      ) {
        joined = { count: joined.count + run.count, size: joined.size + run.size, ranges: concat(joined.ranges, run.ranges) }
        left[left.length - 1] = joined
      } else {
        joined = run
        left.push(run)
      }
    }
    return left
  }

  #goneFromRuns(first: number, last: number, count: number, size: number): boolean {
    let partly: RecoveredRun | undefined
    let partlyAt = -1
    for (let i = place(this.#runIds, first); i < this.#runs.length && this.#runIds[i] <= last; i++) {
      const run = this.#runs[i]
      if (run === undefined || run.idCount(first, last) === 0) continue
      if (first <= run.firstId && last >= run.lastId) {
        count -= run.count
        size -= run.size
        this.#runs[i] = undefined
      } else if (partly === undefined) {
        partly = run
        partlyAt = i
      } else return false
    }
    if (partly === undefined || count <= 0) return count === 0 && size === 0
    // What cannot be so ends nothing: a message that comes twice is better than one that does not come.
    if (count > partly.idCount(first, last) || count > partly.count || size > partly.size) return false
    partly.cut(first, last)
    partly.count -= count
    partly.size -= size
    if (partly.count === 0) this.#runs[partlyAt] = undefined
    return true
  }
}

/** Index of the last number at or below `id`, or 0. */
function place(numbers: readonly number[], id: number): number {
  let low = 0
  let high = numbers.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (numbers[middle] <= id) low = middle
    else high = middle
  }
  return low
}

function concat(a: Float64Array, b: Float64Array): Float64Array {
  const both = new Float64Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
