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

const firstCapacity = 1_024

export class LiveRanges {
  /** About the bytes of all of them. */
  size = 0
  count = 0
  #firsts = new Float64Array(firstCapacity)
  #lasts = new Float64Array(firstCapacity)
  #sizes = new Float64Array(firstCapacity)
  /** Ranges that have no gaps: their messages can be told from one another. */
  #isDense = new Uint8Array(firstCapacity)
  #isSorted = true

  constructor(runs: Iterable<KeptRun>) {
    for (const run of runs) this.#add(run)
    if (!this.#isSorted) this.#sort()
    this.#countOnce()
  }

  /** Calls `visit` for each range, by their first ids. */
  each(visit: (first: number, last: number, size: number) => void): void {
    for (let i = 0; i < this.count; i++) visit(this.#firsts[i]!, this.#lasts[i]!, this.#sizes[i]!)
  }

  /** The same ids as ranges that do not overlap. */
  union(): IdRanges {
    const ranges = new Float64Array(this.count * 2)
    let count = 0
    for (let i = 0; i < this.count; i++) {
      const first = this.#firsts[i]!
      const last = this.#lasts[i]!
      if (count > 0 && first <= ranges[count - 1]! + 1) {
        if (last > ranges[count - 1]!) ranges[count - 1] = last
      } else {
        ranges[count++] = first
        ranges[count++] = last
      }
    }
    return new IdRanges(ranges.slice(0, count))
  }

  #add({ count, size, ranges }: KeptRun): void {
    let idCount = 0
    for (let i = 0; i < ranges.length; i += 2) idCount += ranges[i + 1]! - ranges[i]! + 1
    const isDense = idCount === count ? 1 : 0
    for (let i = 0; i < ranges.length; i += 2) {
      if (this.count === this.#firsts.length) this.#grow()
      const at = this.count++
      const first = ranges[i]!
      const last = ranges[i + 1]!
      if (at > 0 && first < this.#firsts[at - 1]!) this.#isSorted = false
      this.#firsts[at] = first
      this.#lasts[at] = last
      this.#sizes[at] = (size * (last - first + 1)) / idCount
      this.#isDense[at] = isDense
    }
  }

  #sort(): void {
    const { count } = this
    const order = orderOf(this.#firsts.subarray(0, count))
    const firsts = new Float64Array(count)
    const lasts = new Float64Array(count)
    const sizes = new Float64Array(count)
    const isDense = new Uint8Array(count)
    for (let to = 0; to < count; to++) {
      const from = order[to]!
      firsts[to] = this.#firsts[from]!
      lasts[to] = this.#lasts[from]!
      sizes[to] = this.#sizes[from]!
      isDense[to] = this.#isDense[from]!
    }
    this.#firsts = firsts
    this.#lasts = lasts
    this.#sizes = sizes
    this.#isDense = isDense
  }

  #countOnce(): void {
    let reach = -1
    for (let i = 0; i < this.count; i++) {
      if (this.#isDense[i] === 1) {
        const first = this.#firsts[i]!
        const last = this.#lasts[i]!
        if (reach >= first) this.#sizes[i]! *= Math.max(0, last - reach) / (last - first + 1)
        if (last > reach) reach = last
      }
      this.size += this.#sizes[i]!
    }
  }

  #grow(): void {
    const capacity = this.count * 2
    this.#firsts = copied(this.#firsts, new Float64Array(capacity))
    this.#lasts = copied(this.#lasts, new Float64Array(capacity))
    this.#sizes = copied(this.#sizes, new Float64Array(capacity))
    this.#isDense = copied(this.#isDense, new Uint8Array(capacity))
  }
}

function copied<A extends Uint8Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(from: A, to: A): A {
  to.set(from)
  return to
}

/** The indexes of numbers by their size. Those of one queue rise already: stretches that do are merged, two at a time. */
function orderOf(numbers: Float64Array): Uint32Array {
  let order = new Uint32Array(numbers.length)
  for (let i = 0; i < order.length; i++) order[i] = i
  let merged = new Uint32Array(numbers.length)
  let starts = [0]
  for (let i = 1; i < numbers.length; i++) if (numbers[i]! < numbers[i - 1]!) starts.push(i)
  while (starts.length > 1) {
    const next: number[] = []
    for (let k = 0; k < starts.length; k += 2) {
      const from = starts[k]!
      const middle = starts[k + 1] ?? numbers.length
      const to = starts[k + 2] ?? numbers.length
      let left = from
      let right = middle
      for (let at = from; at < to; at++) {
        const takesLeft = right === to || (left < middle && numbers[order[left]!]! <= numbers[order[right]!]!)
        merged[at] = order[takesLeft ? left++ : right++]!
      }
      next.push(from)
    }
    const spare = order
    order = merged
    merged = spare
    starts = next
  }
  return order
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
