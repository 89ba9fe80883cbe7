/**
 * A run of a snapshot while the log behind it is replayed: parts of its ranges are cut out as messages go. How many messages and bytes that takes
 * the log says; the run itself does not know which ids in a range are those of the queue.
 */
import type { KeptRun } from '../broker/durable.js'

export class RecoveredRun {
  count: number
  size: number
  ranges: Float64Array

  constructor({ count, size, ranges }: KeptRun) {
    this.count = count
    this.size = size
    this.ranges = ranges
  }

  get firstId(): number {
    return this.ranges[0]
  }

  get lastId(): number {
    return this.ranges[this.ranges.length - 1]
  }

  /** How many ids of its ranges lie between these two: no more of its messages do. */
  idCount(first: number, last: number): number {
    let count = 0
    for (let i = 0; i < this.ranges.length; i += 2) {
      count += Math.max(0, Math.min(last, this.ranges[i + 1]) - Math.max(first, this.ranges[i]) + 1)
    }
    return count
  }

  /** Cuts the ids from `first` to `last` out of its ranges. */
  cut(first: number, last: number): void {
    const left: number[] = []
    for (let i = 0; i < this.ranges.length; i += 2) {
      const from = this.ranges[i]
      const to = this.ranges[i + 1]
      if (from > last || to < first) {
        left.push(from, to)
        continue
      }
      if (from < first) left.push(from, first - 1)
      if (to > last) left.push(last + 1, to)
    }
    this.ranges = Float64Array.from(left)
  }
}
