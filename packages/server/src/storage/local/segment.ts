/** One file of blocks. The last of a log's segments is the one that is written to; what stands in the others does not change any more. */
import type { Disk, DiskFile } from '../../ports/disk.js'
import { segmentName } from './names.js'

/** A position is the number of a segment and an offset in it. */
const positionsPerSegment = 2 ** 32

export function positionOf(id: number, offset: number): number {
  return id * positionsPerSegment + offset
}

export function segmentIdOf(position: number): number {
  return Math.floor(position / positionsPerSegment)
}

export function offsetOf(position: number): number {
  return position % positionsPerSegment
}

/** As it stands in a snapshot. */
export interface SegmentJson {
  readonly id: number
  /** Offsets of the first and the last append that readers see; -1: there is none. */
  readonly firstAt: number
  readonly lastAt: number
  /** Behind its last block. */
  readonly end: number
  readonly firstNumber: number
  /** 0: it is empty. */
  readonly lastNumber: number
}

/** So many files are open at a time, those that are written to not counted. */
const openCountMax = 64

/** The files of segments: a log may have more of them than a process may have open. */
export class SegmentFiles {
  readonly disk: Disk
  readonly #open = new Set<Segment>()

  constructor(disk: Disk) {
    this.disk = disk
  }

  /** Throws DiskError. */
  open(segment: Segment): DiskFile {
    const file = this.disk.open(segment.name)
    this.#open.add(segment)
    for (const other of this.#open) {
      if (this.#open.size <= openCountMax) break
      if (other !== segment && !other.isDirty) other.close()
    }
    return file
  }

  closed(segment: Segment): void {
    this.#open.delete(segment)
  }
}

export class Segment {
  readonly id: number
  readonly #files: SegmentFiles
  #file: DiskFile | undefined
  #fileSize = -1
  /** Bytes that it may take. */
  capacity: number
  firstAt = -1
  lastAt = -1
  end = 0
  firstNumber = 0
  lastNumber = 0
  /** Whether something in it has been written and not synced. */
  isDirty = false

  constructor(files: SegmentFiles, id: number, capacity: number) {
    this.#files = files
    this.id = id
    this.capacity = capacity
  }

  static from(files: SegmentFiles, json: SegmentJson): Segment {
    const segment = new Segment(files, json.id, json.end)
    segment.firstAt = json.firstAt
    segment.lastAt = json.lastAt
    segment.end = json.end
    segment.firstNumber = json.firstNumber
    segment.lastNumber = json.lastNumber
    return segment
  }

  get name(): string {
    return segmentName(this.id)
  }

  /** Opened when it is needed. Throws DiskError. */
  get file(): DiskFile {
    this.#file ??= this.#files.open(this)
    return this.#file
  }

  /** An append of `size` bytes, blocks `firstNumber` to `lastNumber`, stands behind the others. */
  wrote(isRead: boolean, size: number, firstNumber: number, lastNumber: number): void {
    if (this.isEmpty) this.firstNumber = firstNumber
    if (isRead) {
      if (!this.isRead) this.firstAt = this.end
      this.lastAt = this.end
    }
    this.end += size
    this.lastNumber = lastNumber
  }

  /** Bytes that its file takes. */
  get fileSize(): number {
    if (this.#file !== undefined || this.#fileSize < 0) this.#fileSize = this.file.size
    return this.#fileSize
  }

  get isEmpty(): boolean {
    return this.lastNumber === 0
  }

  /** Whether readers see something in it. */
  get isRead(): boolean {
    return this.firstAt >= 0
  }

  get first(): number {
    return positionOf(this.id, Math.max(0, this.firstAt))
  }

  get last(): number {
    return positionOf(this.id, Math.max(0, this.lastAt))
  }

  /** The descriptor is given up; the next one is another. */
  close(): void {
    if (this.#file !== undefined) this.#fileSize = this.#file.size
    this.#file?.close()
    this.#file = undefined
    this.#files.closed(this)
  }

  toJson(): SegmentJson {
    const { id, firstAt, lastAt, end, firstNumber, lastNumber } = this
    return { id, firstAt, lastAt, end, firstNumber, lastNumber }
  }
}
