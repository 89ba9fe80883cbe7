/**
 * Which messages durable queues had at one moment, as ranges of ids, and about how many bytes of records each range stands for:
 *
 *     queue a    ├──────────┤   ├──┤                  24 bytes a range
 *     queue b       ├───────────┤                     what is surely the same message counts once
 *
 * A range may pass over ids that its queue does not have. So an id in none of them was not in any queue, and one that is may have been; and what has an
 * id from before that moment, and was in no queue then, never will be.
 */
import type { KeptRun } from '../broker/durable.js'

export class LiveRanges {
  /** About the bytes of all of them. */
  size = 0
  #firsts: number[] | Float64Array = []
  #lasts: number[] | Float64Array = []
  #sizes: number[] | Float64Array = []
  /** Ranges that have no gaps: their messages can be told from one another. */
  #isDense: boolean[] = []
  #isSorted = true

  constructor(runs: Iterable<KeptRun>) {
    for (const run of runs) this.#add(run)
    if (!this.#isSorted) this.#sort()
    this.#countOnce()
  }

  get count(): number {
    return this.#firsts.length
  }

  /** Calls `visit` for each range, by their first ids. */
  each(visit: (first: number, last: number, size: number) => void): void {
    for (let i = 0; i < this.#firsts.length; i++) visit(this.#firsts[i]!, this.#lasts[i]!, this.#sizes[i]!)
  }

  /** The same ids as ranges that do not overlap. */
  union(): IdRanges {
    const ranges: number[] = []
    for (let i = 0; i < this.#firsts.length; i++) {
      const top = ranges.length - 1
      if (top > 0 && this.#firsts[i]! <= ranges[top]! + 1) ranges[top] = Math.max(ranges[top]!, this.#lasts[i]!)
      else ranges.push(this.#firsts[i]!, this.#lasts[i]!)
    }
    return new IdRanges(Float64Array.from(ranges))
  }

  #add({ count, size, ranges }: KeptRun): void {
    let idCount = 0
    for (let i = 0; i < ranges.length; i += 2) idCount += ranges[i + 1]! - ranges[i]! + 1
    const firsts = this.#firsts as number[]
    for (let i = 0; i < ranges.length; i += 2) {
      const first = ranges[i]!
      const last = ranges[i + 1]!
      if (firsts.length > 0 && first < firsts[firsts.length - 1]!) this.#isSorted = false
      firsts.push(first)
      ;(this.#lasts as number[]).push(last)
      ;(this.#sizes as number[]).push((size * (last - first + 1)) / idCount)
      this.#isDense.push(idCount === count)
    }
  }

  #sort(): void {
    const firsts = this.#firsts
    const order = Uint32Array.from(firsts, (_, i) => i).sort((a, b) => firsts[a]! - firsts[b]!)
    const lasts = this.#lasts
    const sizes = this.#sizes
    const isDense = this.#isDense
    this.#firsts = Float64Array.from(order, (i) => firsts[i]!)
    this.#lasts = Float64Array.from(order, (i) => lasts[i]!)
    this.#sizes = Float64Array.from(order, (i) => sizes[i]!)
    this.#isDense = Array.from(order, (i) => isDense[i]!)
  }

  #countOnce(): void {
    let reach = -1
    for (let i = 0; i < this.#firsts.length; i++) {
      const last = this.#lasts[i]!
      if (this.#isDense[i]!) {
        const first = this.#firsts[i]!
        if (reach >= first) this.#sizes[i]! *= Math.max(0, last - reach) / (last - first + 1)
        if (last > reach) reach = last
      }
      this.size += this.#sizes[i]!
    }
  }
}

/** Ids, as ranges that rise and do not overlap. */
export class IdRanges {
  readonly #ranges: Float64Array

  constructor(ranges: Float64Array) {
    this.#ranges = ranges
  }

  has(id: number): boolean {
    const ranges = this.#ranges
    let low = 0
    let high = ranges.length >> 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (ranges[middle << 1]! <= id) low = middle + 1
      else high = middle
    }
    return low > 0 && ranges[(low << 1) - 1]! >= id
  }
}
