/**
 * Virtual time: everything that will happen, in the order in which it will.
 *
 *     now ─┬─ 12.001 ms timer │ 12.001 ms bytes │ 12.001 ms the turn behind them │ 12.350 ms …
 *          └─ by time, then by rank, then by the order of asking
 *
 * Time stands still while something happens and jumps to the next thing after it. So an hour takes as long as what happens in it.
 */

/** Among things due at the same moment the lower rank comes first. */
export const Rank = { timer: -1, arrival: 0, soon: 1 } as const

export interface Event {
  readonly at: number
  readonly rank: number
  readonly order: number
  /** Undefined when it was cancelled, or is over. */
  run: (() => void) | undefined
}

export class Timeline {
  readonly #heap: Event[] = []
  #order = 0
  #now = 0
  #stepCount = 0

  /** Milliseconds since the beginning; whole microseconds. */
  get now(): number {
    return this.#now
  }

  /** How many things have happened. */
  get stepCount(): number {
    return this.#stepCount
  }

  /** When the next thing is due; Infinity when nothing is. */
  get next(): number {
    this.#dropCancelled()
    return this.#heap[0]?.at ?? Infinity
  }

  at(time: number, run: () => void, rank: number = Rank.arrival): Event {
    const whole = Math.max(this.#now, Math.ceil(time * 1000) / 1000)
    const event: Event = { at: whole, rank, order: this.#order++, run }
    this.#push(event)
    return event
  }

  in(delayMs: number, run: () => void, rank: number = Rank.arrival): Event {
    return this.at(this.#now + delayMs, run, rank)
  }

  cancel(event: Event): void {
    event.run = undefined
  }

  /** Lets the next thing happen. False when there is none. */
  step(): boolean {
    this.#dropCancelled()
    const event = this.#heap[0]
    if (event === undefined) return false
    this.#pop()
    this.#now = event.at
    this.#stepCount++
    const run = event.run!
    event.run = undefined
    run()
    return true
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]!.run === undefined) this.#pop()
  }

  #push(event: Event): void {
    const heap = this.#heap
    let i = heap.length
    heap.push(event)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!isBefore(event, heap[parent]!)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
  }
}

function isBefore(a: Event, b: Event): boolean {
  if (a.at !== b.at) return a.at < b.at
  if (a.rank !== b.rank) return a.rank < b.rank
  return a.order < b.order
}
