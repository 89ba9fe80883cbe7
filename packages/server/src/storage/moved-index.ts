/**
 * Where in the log messages lie that have been written again (RUN entries with the flag MOVED), by their ids: an entry for each such block.
 *
 *     ids        [1 ······ 1]   [700 ·········· 9,120]                 every message of the block has an id in its range;
 *                               [702 ··· 760]                          not every id of the range is in the block
 *     positions  p7             p3           p9
 *
 * Ranges rise with their first id and may overlap: a message may have been moved twice, and a record that several queues hold may have been written
 * for each. Who looks for a message reads every block that may have it, and takes the first copy found: copies are alike.
 */
import type { Position } from '../ports/log.js'

export interface MovedMark {
  readonly first: number
  readonly last: number
  readonly position: Position
}

const firstCapacity = 16

export class MovedIndex {
  #firsts = new Float64Array(firstCapacity)
  #lasts = new Float64Array(firstCapacity)
  #positions = new Float64Array(firstCapacity)
  /** The highest id of the ranges up to here, so that looking backwards knows where to stop. */
  #reach = new Float64Array(firstCapacity)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** The block at `position` holds moved messages with ids from `first` to `last`. */
  add(first: number, last: number, position: Position): void {
    if (this.#count === this.#firsts.length) this.#grow()
    const at = this.#behind(first)
    if (at < this.#count) {
      for (const column of [this.#firsts, this.#lasts, this.#positions]) column.copyWithin(at + 1, at, this.#count)
    }
    this.#firsts[at] = first
    this.#lasts[at] = last
    this.#positions[at] = position
    this.#count++
    this.#measure(at)
  }

  /** Positions of the blocks that may hold a moved message with an id from `first` to `last`, rising. */
  find(first: number, last: number): Position[] {
    return this.overlaps(first, last)
      .map(({ position }) => position)
      .sort((a, b) => a - b)
  }

  /** Entries whose range has an id from `first` to `last`, by their first ids. */
  overlaps(first: number, last: number): MovedMark[] {
    const found: MovedMark[] = []
    for (let i = this.#behind(last) - 1; i >= 0 && this.#reach[i] >= first; i--) {
      if (this.#lasts[i] >= first) found.push({ first: this.#firsts[i], last: this.#lasts[i], position: this.#positions[i] })
    }
    return found.reverse()
  }

  /** Forgets blocks whose position `isGone`. */
  forget(isGone: (position: Position) => boolean): void {
    let kept = 0
    for (let i = 0; i < this.#count; i++) {
      if (isGone(this.#positions[i])) continue
      this.#firsts[kept] = this.#firsts[i]
      this.#lasts[kept] = this.#lasts[i]
      this.#positions[kept++] = this.#positions[i]
    }
    this.#count = kept
    this.#measure(0)
  }

  *marks(): Iterable<MovedMark> {
    for (let i = 0; i < this.#count; i++) yield { first: this.#firsts[i], last: this.#lasts[i], position: this.#positions[i] }
  }

  /** How many ranges begin at or below `id`. */
  #behind(id: number): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#firsts[middle] <= id) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The reach of every range from `from` on. */
  #measure(from: number): void {
    let reach = from === 0 ? 0 : this.#reach[from - 1]
    for (let i = from; i < this.#count; i++) {
      if (this.#lasts[i] > reach) reach = this.#lasts[i]
      this.#reach[i] = reach
    }
  }

  #grow(): void {
    const capacity = this.#firsts.length * 2
    this.#firsts = grown(this.#firsts, capacity)
    this.#lasts = grown(this.#lasts, capacity)
    this.#positions = grown(this.#positions, capacity)
    this.#reach = grown(this.#reach, capacity)
  }
}

function grown(from: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(capacity)
  to.set(from)
  return to
}
