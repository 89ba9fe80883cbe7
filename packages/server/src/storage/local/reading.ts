/**
 * One reading of the log while it is written to: from a position on, about so many bytes, whole appends only.
 *
 *     bytes     │ append ·········· │ append │ mark│ append ···
 *     first     └── size ──┘          what is not whole is read again, with what is missing of it
 *
 * Every block is verified. What should be one and is not comes back as damage; the reading goes on at the next block that is one.
 */
import type { DiskError } from '../../ports/disk.js'
import type { LogBlock, LogDamage, LogReading, Position } from '../../ports/log.js'
import {
  BlockFlag,
  blockFlagsAt,
  blockHeaderSize,
  blockNumberAt,
  blockPayloadSizeAt,
  blockSizeAt,
  blockSizeMax,
  engineFlags,
  isWholeBlock,
} from './block.js'
import { readPatiently } from './patient-read.js'
import { offsetOf, positionOf, type Segment, segmentIdOf } from './segment.js'

const readSizeMin = 64 * 1024

export interface ReadingPlace {
  /** The segment with this id, or the next one that there is. */
  segmentFrom(id: number): Segment | undefined
  /** Whether it is still there. */
  has(segment: Segment): boolean
}

/** Reads; `done` is not called within the call. */
export function readLog(
  place: ReadingPlace,
  from: Position,
  size: number,
  later: (run: () => void) => void,
  done: (reading: LogReading) => void,
): void {
  new Reading(place, size, later, done).begin(from)
}

class Reading {
  readonly #place: ReadingPlace
  readonly #size: number
  readonly #later: (run: () => void) => void
  readonly #done: (reading: LogReading) => void
  readonly #blocks: LogBlock[] = []
  readonly #damage: LogDamage[] = []

  constructor(place: ReadingPlace, size: number, later: (run: () => void) => void, done: (reading: LogReading) => void) {
    this.#place = place
    this.#size = size
    this.#later = later
    this.#done = done
  }

  begin(from: Position): void {
    const id = segmentIdOf(from)
    const segment = this.#place.segmentFrom(id)
    if (segment === undefined || segment.isEmpty) {
      this.#later(() => this.#end(undefined))
      return
    }
    this.#read(segment, segment.id === id ? offsetOf(from) : 0, this.#size)
  }

  /** Reads at least `size` bytes at `at`, if there are so many. */
  #read(segment: Segment, at: number, size: number): void {
    const { end } = segment
    const count = Math.min(end - at, Math.max(size, readSizeMin))
    if (count < blockHeaderSize) {
      this.#later(() => this.#goOn(segment, at))
      return
    }
    const bytes = Buffer.allocUnsafeSlow(count)
    this.#fill(segment, bytes, at, (read) => {
      if (!this.#place.has(segment)) return this.#goOn(segment, end)
      // Meanwhile the log may have failed, and what was not synced is not in it any more.
      const endNow = Math.min(end, segment.end)
      const wanted = Math.max(0, Math.min(count, endNow - at))
      this.#take(segment, at, bytes.subarray(0, Math.min(read, wanted)), endNow, read < wanted)
    })
  }

  /** Reads what can be read. */
  #fill(segment: Segment, bytes: Uint8Array, at: number, then: (count: number) => void): void {
    const told = (error: DiskError | undefined, count: number): void =>
      then(error === undefined || !this.#place.has(segment) ? count : readPatiently(segment.file, bytes, at))
    try {
      segment.file.readLater(bytes, at, told)
    } catch (error) {
      const { message } = error as Error
      this.#later(() => {
        this.#note(segment, at, message)
        this.#goOn(segment, segment.end)
      })
    }
  }

  /** Takes the whole appends of `bytes`, which stand at `start`. `isCut`: the file ends behind them, and should not. */
  #take(segment: Segment, start: number, bytes: Uint8Array, end: number, isCut: boolean): void {
    let index = 0
    while (index < bytes.length) {
      const size = this.#append(segment, start, bytes, index)
      if (size > 0) {
        index += size
        continue
      }
      const isAll = isCut || start + bytes.length >= end
      if (size < 0 && !isAll) {
        if (this.#blocks.length > 0) {
          this.#end(positionOf(segment.id, start + index))
          return
        }
        this.#read(segment, start + index, Math.max(bytes.length * 2, 2 * blockSizeMax))
        return
      }
      this.#damaged(segment, start + index, end)
      return
    }
    const next = start + index
    if (next < end && isCut) this.#damaged(segment, next, end)
    else if (next < end && this.#blocks.length === 0) this.#read(segment, next, this.#size)
    else if (next < end) this.#end(positionOf(segment.id, next))
    else this.#goOn(segment, next)
  }

  /** Takes the append at `index`: its size. 0: it is damaged; -1: it goes on behind `bytes`. */
  #append(segment: Segment, start: number, bytes: Uint8Array, index: number): number {
    const pieces: Uint8Array[] = []
    for (let at = index, number = -1; ; ) {
      if (bytes.length - at < blockHeaderSize) return -1
      const size = blockSizeAt(bytes, at)
      if (size === 0) return 0
      if (bytes.length - at < size) return -1
      const found = blockNumberAt(bytes, at)
      if (!isWholeBlock(bytes, at, size) || found < segment.firstNumber || found > segment.lastNumber) return 0
      if (number >= 0 && found !== number) return 0
      const flags = blockFlagsAt(bytes, at)
      if (at === index && (flags & BlockFlag.continuation) !== 0) return size
      if (at > index && (flags & BlockFlag.continuation) === 0) return 0
      const payload = bytes.subarray(at + blockHeaderSize, at + blockHeaderSize + blockPayloadSizeAt(bytes, at))
      at += size
      number = found + 1
      if ((flags & BlockFlag.continued) !== 0) {
        pieces.push(payload)
        continue
      }
      if ((flags & engineFlags) === 0) {
        pieces.push(payload)
        const position = positionOf(segment.id, start + index)
        this.#blocks.push({ position, bytes: pieces.length === 1 ? payload : Buffer.concat(pieces) })
      }
      return at - index
    }
  }

  /** Looks in the rest of the segment for the next block that is one. */
  #damaged(segment: Segment, at: number, end: number): void {
    this.#note(segment, at, 'the block here is not what was written')
    const bytes = Buffer.allocUnsafeSlow(end - at)
    this.#fill(segment, bytes, at, (read) => {
      // Behind what was read stands anything: perhaps a block of another time.
      for (let i = 8; i <= read - blockHeaderSize; i += 8) {
        const size = blockSizeAt(bytes, i)
        if (size === 0 || i + size > read || !isWholeBlock(bytes, i, size)) continue
        const number = blockNumberAt(bytes, i)
        if (number < segment.firstNumber || number > segment.lastNumber) continue
        if ((blockFlagsAt(bytes, i) & BlockFlag.continuation) !== 0) continue
        return this.#end(positionOf(segment.id, at + i))
      }
      this.#goOn(segment, end)
    })
  }

  #note(segment: Segment, at: number, message: string): void {
    this.#damage.push({ segment: segment.id, where: `${segment.name} offset ${at}`, message })
  }

  /** At what was the end of a segment: in what has been written to it since, or in the next one, if nothing has been found yet. */
  #goOn(segment: Segment, end: number): void {
    const isFound = this.#blocks.length > 0 || this.#damage.length > 0
    if (end < segment.end && this.#place.has(segment)) {
      if (isFound) this.#end(positionOf(segment.id, end))
      else this.#later(() => this.#read(segment, end, this.#size))
      return
    }
    const next = this.#place.segmentFrom(segment.id + 1)
    if (next === undefined || next.isEmpty) {
      this.#end(undefined)
      return
    }
    if (isFound) {
      this.#end(next.first)
      return
    }
    this.#later(() => this.#read(next, 0, this.#size))
  }

  #end(next: Position | undefined): void {
    this.#done({ blocks: this.#blocks, next, damage: this.#damage })
  }
}
