/**
 * Where in the log a message lies, by its id: a mark for each 64 KiB of records, and for the first ones of each segment, as ids and positions rise together.
 *
 *     ids        1 ······ 812 ······ 1,640 ······          the block that holds id 900 is at the mark of 812 or behind it
 *     positions  p0       p1         p2
 *
 * A million messages of 100 bytes take 50 KB here.
 */
import type { Position, SegmentId } from '../ports/log.js'

const markSize = 64 * 1024

export class IdIndex {
  #ids = new Float64Array(64)
  #positions = new Float64Array(64)
  #count = 0
  #sizeSinceMark = Infinity
  #segment: SegmentId = -1

  get count(): number {
    return this.#count
  }

  /** A block of a segment with `size` bytes of records, the first of which has this id. Ids and positions rise. */
  add(firstId: number, position: Position, size: number, segment: SegmentId): void {
    this.#sizeSinceMark += size
    if (this.#sizeSinceMark < markSize && segment === this.#segment) return
    this.#sizeSinceMark = 0
    this.#segment = segment
    this.mark(firstId, position)
  }

  /** Adds a mark. */
  mark(firstId: number, position: Position): void {
    if (this.#count === this.#ids.length) this.#grow()
    this.#ids[this.#count] = firstId
    this.#positions[this.#count++] = position
  }

  /** The position of the last mark at or below `id`, or of the first mark; 0 if there is none. */
  find(id: number): Position {
    if (this.#count === 0) return 0
    let low = 0
    let high = this.#count
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (this.#ids[middle] <= id) low = middle
      else high = middle
    }
    return this.#positions[low]
  }

  /** The id at the first mark at or behind a position; Infinity if there is none. */
  firstFrom(position: Position): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#positions[middle] < position) low = middle + 1
      else high = middle
    }
    return low < this.#count ? this.#ids[low] : Infinity
  }

  /** Forgets marks whose position `isGone`, which must be so from the oldest on or in runs. */
  forget(isGone: (position: Position) => boolean): void {
    let kept = 0
    for (let i = 0; i < this.#count; i++) {
      if (isGone(this.#positions[i])) continue
      this.#ids[kept] = this.#ids[i]
      this.#positions[kept++] = this.#positions[i]
    }
    this.#count = kept
    this.#sizeSinceMark = Infinity
  }

  *marks(): Iterable<{ readonly id: number; readonly position: Position }> {
    for (let i = 0; i < this.#count; i++) yield { id: this.#ids[i], position: this.#positions[i] }
  }

  #grow(): void {
    const ids = new Float64Array(this.#count * 2)
    const positions = new Float64Array(this.#count * 2)
    ids.set(this.#ids)
    positions.set(this.#positions)
    this.#ids = ids
    this.#positions = positions
  }
}
