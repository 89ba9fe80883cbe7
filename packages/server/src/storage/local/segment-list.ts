/** The segments of a log that are there, by their ids, which rise. The last one is written to. */
import type { LogSegment, SegmentId } from '../../ports/log.js'
import type { Segment } from './segment.js'

export class SegmentList {
  readonly #segments: Segment[]
  /** The one that is written to; undefined: none yet. */
  current: Segment | undefined

  constructor(segments: readonly Segment[]) {
    this.#segments = [...segments]
    this.current = this.#segments.at(-1)
  }

  /** Begins with this one. */
  begin(segment: Segment): void {
    this.#segments.push(segment)
    this.current = segment
  }

  remove(segment: Segment): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1)
  }

  /** The first from `id` on. */
  segmentFrom(id: SegmentId): Segment | undefined {
    let low = 0
    let high = this.#segments.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#segments[middle].id < id) low = middle + 1
      else high = middle
    }
    return this.#segments[low]
  }

  get(id: SegmentId): Segment | undefined {
    const segment = this.segmentFrom(id)
    return segment?.id === id ? segment : undefined
  }

  has(segment: Segment): boolean {
    return this.get(segment.id) === segment
  }

  [Symbol.iterator](): IterableIterator<Segment> {
    return this.#segments.values()
  }

  /** As readers know them. */
  listed(): LogSegment[] {
    return this.#segments
      .filter((segment) => segment.isRead || (segment !== this.current && !segment.isEmpty))
      .map(({ id, first, last, end }) => ({ id, first, last, size: end }))
  }

  /** Bytes of their files. */
  get fileSize(): number {
    let size = 0
    for (const segment of this.#segments) size += segment.fileSize
    return size
  }
}
