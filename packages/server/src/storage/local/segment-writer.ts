// Hot: called for each append. One header, one write.
/**
 * The end of the log: appends become numbered blocks in the segment that is written to, and when that is full, in the next one, which is a spare if there is
 * one.
 *
 *     segment 7 │ block 41 │ block 42 │ end mark     full ─▶ segment 8 │ block 43 │ …
 */
import type { Clock } from '../../ports/clock.js'
import type { Position, SegmentId } from '../../ports/log.js'
import { AppendParts, appendSizeOf } from './append-parts.js'
import { type BlockStamp, blockHeaderSize } from './block.js'
import type { GroupSync } from './group-sync.js'
import { positionOf, Segment, type SegmentFiles } from './segment.js'
import type { SegmentList } from './segment-list.js'
import type { Spares } from './spares.js'

export interface SegmentWriterOptions {
  readonly clock: Pick<Clock, 'wall'>
  readonly files: SegmentFiles
  readonly segments: SegmentList
  readonly segmentSize: number
  readonly spares: Spares
  readonly syncs: GroupSync
  readonly epoch: number
  /** Of the last block that there is. */
  readonly number: number
  readonly nextSegment: SegmentId
  /** It begins with a segment. */
  readonly isSealed: boolean
}

export class SegmentWriter {
  /** Of the last block. */
  number: number
  epoch: number
  /** Ids of segments from it on have not been used. */
  nextSegment: SegmentId
  readonly #options: SegmentWriterOptions
  readonly #segments: SegmentList
  readonly #spares: Spares
  readonly #syncs: GroupSync
  /** The next append begins a segment. */
  #isSealed: boolean
  readonly #parts = new AppendParts()
  readonly #stamp = { epoch: 0, number: 0, durable: 0, wallMs: 0 }

  constructor(options: SegmentWriterOptions) {
    this.#options = options
    this.#segments = options.segments
    this.#spares = options.spares
    this.#syncs = options.syncs
    this.epoch = options.epoch
    this.number = options.number
    this.nextSegment = options.nextSegment
    this.#isSealed = options.isSealed
  }

  /** Writes an append behind the last one; where. `durable`: the number of the last block that is synced. Throws DiskError. */
  write(flags: number, parts: readonly Uint8Array[], durable: number): Position {
    let size = 0
    for (let i = 0; i < parts.length; i++) size += parts[i].length
    const diskSize = appendSizeOf(size)
    try {
      const segment = this.#room(diskSize)
      const count = this.#parts.gather(flags, this.#stampNext(durable), parts, size)
      const { end } = segment
      const behind = end + diskSize + blockHeaderSize
      if (flags === 0 && behind > segment.file.size) this.#parts.grow(Math.min(segment.capacity - behind, segment.capacity >> 3))
      segment.file.write(this.#parts.out, end)
      this.number += count
      segment.wrote(flags === 0, diskSize, this.number - count + 1, this.number)
      this.#syncs.wrote(segment)
      return positionOf(segment.id, end)
    } finally {
      this.#parts.clear()
    }
  }

  /** The next append begins a segment. */
  seal(): void {
    const { current } = this.#segments
    if (current !== undefined && !current.isEmpty) this.#isSealed = true
  }

  /** Begins a segment that has room for so many bytes. Throws DiskError. */
  begin(size: number): Segment {
    const { files, segmentSize } = this.#options
    const isLarge = size + blockHeaderSize > segmentSize
    const segment = new Segment(files, this.nextSegment, isLarge ? size + blockHeaderSize : segmentSize)
    this.#syncs.areNamesDirty = true
    if (isLarge || !this.#spares.take(segment.name)) segment.file
    this.nextSegment++
    this.#isSealed = false
    this.#segments.begin(segment)
    return segment
  }

  /** The segment that so many bytes go to. */
  #room(size: number): Segment {
    const { current } = this.#segments
    if (current !== undefined && !this.#isSealed && (current.end + size + blockHeaderSize <= current.capacity || current.end === 0)) {
      if (current.end >= current.capacity >> 1) this.#spares.make()
      return current
    }
    return this.begin(size)
  }

  #stampNext(durable: number): BlockStamp {
    const stamp = this.#stamp
    stamp.epoch = this.epoch
    stamp.number = this.number + 1
    stamp.durable = durable
    stamp.wallMs = this.#options.clock.wall()
    return stamp
  }
}
