// Hot: every kept byte goes through `append`. One header, one write.
/**
 * The log on a local disk. Appends go to the page cache at once; one sync at a time brings them to the disk, and what was appended meanwhile goes with
 * the next.
 *
 *     appended   │ 1 │ 2 │ 3 │ 4 │ 5 │ 6 │
 *     written                           ▲      readers of this process see it
 *     syncing                   ▲              the sync under way brings everything up to here
 *     synced            ▲                      it is told of this
 *
 * A write or a sync that fails ends the file for good: its descriptor is closed and never synced again. `recover` goes on behind what was synced, in
 * another file, with the next epoch.
 */
import assert from 'node:assert'
import { writeU32 } from '@waybill/protocol'
import type { Clock } from '../../ports/clock.js'
import { type Disk, DiskError } from '../../ports/disk.js'
import type { Log, LogDamage, LogProgress, LogReading, LogReplay, LogSegment, LogSnapshot, Position, SegmentId } from '../../ports/log.js'
import { BlockFlag, blockHeaderSize, blockSizeOf, endOf, paddingOf, payloadSizeMax, sealBlock, writeBlockHeader } from './block.js'
import { type Chain, findChain, readStretch } from './chain.js'
import { BlockCursor } from './cursor.js'
import { encodeHead, type SnapshotHead } from './head.js'
import { readLog } from './reading.js'
import { offsetOf, positionOf, Segment, type SegmentFiles, segmentIdOf } from './segment.js'
import { findSnapshot, SnapshotWriter } from './snapshots.js'
import { Spares } from './spares.js'

/** What is appended lazily is synced after this time at the latest; the idle marker follows the last sync by it. */
const lazyMs = 100

const growSize = 1 << 20
const zeros = new Uint8Array(growSize)

/** What has been found on the disk. */
export interface LocalLogStart {
  readonly identity: string
  readonly epoch: number
  readonly chain: Chain
  /** All that there are, in order; the last one is written to, if it is not full. */
  readonly segments: readonly Segment[]
  readonly nextSegment: number
  readonly nextSnapshot: number
  readonly through: Position
  readonly parts: readonly Uint8Array[] | undefined
  readonly written: Position
  readonly damage: readonly LogDamage[]
  readonly failure: DiskError | undefined
}

export interface LocalLogWorld {
  readonly disk: Disk
  readonly files: SegmentFiles
  readonly clock: Pick<Clock, 'wall'>
  /** Calls `run` once, at least `ms` later, never within the call. */
  readonly later: (ms: number, run: () => void) => void
  readonly wake: () => void
  readonly segmentSize: number
  readonly spareCount: number
}

/** Where a sync brings the log. */
interface Mark {
  readonly position: Position
  readonly number: number
  readonly segment: Segment | undefined
  readonly end: number
  readonly firstAt: number
  readonly lastAt: number
}

interface Dropping {
  readonly segment: Segment
  readonly size: number
  /** Number of the block that says so; it must be synced first. */
  number: number
}

export class LocalLog implements Log {
  readonly identity: string
  readonly #world: LocalLogWorld
  readonly #start: LocalLogStart
  readonly #segments: Segment[]
  readonly #spares: Spares
  readonly #snapshots: SnapshotWriter
  #epoch: number
  #nextSegment: number
  #nextSnapshot: number
  #loaded: LogSnapshot | undefined
  #current: Segment | undefined
  /** The next append begins a segment. */
  #isSealed = false
  /** Of the last block. */
  #number: number
  #isMarked = true
  #written: Position
  #synced: Mark
  #failure: DiskError | undefined
  #isSyncing = false
  /** Something has been appended since the sync under way began that must not wait. */
  #isSyncWanted = false
  /** Told when its sync ends: what was asked of an earlier life is not its concern any more. */
  #life = 0
  #dirty: Segment[] = []
  #areNamesDirty = false
  #isTimerSet = false
  #numberAtTimer = 0
  #droppings: Dropping[] = []
  /** Segments of which nothing had been synced when the log failed. */
  readonly #lost = new Set<SegmentId>()
  #waiting: { readonly position: Position; readonly run: (error: Error | undefined) => void }[] = []
  #isSaving = false
  #closed: (() => void) | undefined
  #isClosed = false
  readonly #header = Buffer.alloc(blockHeaderSize)
  readonly #out: Uint8Array[] = []
  readonly #stamp = { epoch: 0, number: 0, durable: 0, wallMs: 0 }

  constructor(world: LocalLogWorld, start: LocalLogStart) {
    const { disk, later, segmentSize, spareCount } = world
    this.#world = world
    this.#start = start
    this.identity = start.identity
    this.#epoch = start.epoch
    this.#segments = [...start.segments]
    this.#nextSegment = start.nextSegment
    this.#nextSnapshot = start.nextSnapshot
    if (start.parts !== undefined) this.#loaded = { through: start.through, parts: start.parts }
    this.#current = this.#segments.at(-1)
    this.#number = start.chain.number
    this.#written = start.written
    this.#failure = start.failure
    this.#synced = this.#mark()
    this.#spares = new Spares({ disk, later, segmentSize, countMax: spareCount })
    this.#spares.find()
    this.#snapshots = new SnapshotWriter({ disk, later })
  }

  get epoch(): number {
    return this.#epoch
  }

  /** What is there is synced; the epoch begins, in the log too. */
  begin(): void {
    if (this.#failure === undefined) this.#appendMarker()
    if (this.#failure === undefined) this.#sync()
  }

  // Appending

  append(parts: readonly Uint8Array[], need: 'sync' | 'lazy'): Position {
    if (this.#failure !== undefined || this.#isClosed) return this.#written
    const segment = this.#write(0, parts)
    if (segment === undefined) return this.#written
    this.#isMarked = false
    this.#written = positionOf(segment.id, segment.lastAt)
    if (need === 'sync') this.#sync()
    else this.#setTimer()
    return this.#written
  }

  /** Writes an append behind the last one. Undefined: that failed. */
  #write(flags: number, parts: readonly Uint8Array[]): Segment | undefined {
    let size = 0
    for (let i = 0; i < parts.length; i++) size += parts[i].length
    const diskSize = size <= payloadSizeMax ? blockSizeOf(size) : chainSizeOf(size)
    try {
      const segment = this.#room(diskSize)
      const count = this.#gather(flags, parts, size)
      if (flags === 0) this.#growAhead(segment, diskSize)
      segment.file.write(this.#out, segment.end)
      this.#out.length = 0
      if (segment.isEmpty) segment.firstNumber = this.#number + 1
      if (flags === 0) {
        if (!segment.isRead) segment.firstAt = segment.end
        segment.lastAt = segment.end
      }
      segment.end += diskSize
      this.#number += count
      segment.lastNumber = this.#number
      if (!segment.isDirty) {
        segment.isDirty = true
        this.#dirty.push(segment)
      }
      return segment
    } catch (error) {
      this.#out.length = 0
      this.#fail(error)
      return undefined
    }
  }

  /**
   * A file that grows grows by much at a time: in between a sync has nothing to note about the file, which halves its time. Only appends do it; a full disk is
   * full a little earlier by it.
   */
  #growAhead(segment: Segment, diskSize: number): void {
    const end = segment.end + diskSize + blockHeaderSize
    if (end <= segment.file.size) return
    const size = Math.min(growSize, segment.capacity >> 3, segment.capacity - end)
    if (size > 0) this.#out.push(zeros.subarray(0, size))
  }

  /** Puts the blocks of an append, and the end mark, into `out`; how many blocks. */
  #gather(flags: number, parts: readonly Uint8Array[], size: number): number {
    const stamp = this.#stamp
    stamp.epoch = this.#epoch
    stamp.number = this.#number + 1
    stamp.durable = this.#synced.number
    stamp.wallMs = this.#world.clock.wall()
    const out = this.#out
    if (size > payloadSizeMax) return this.#gatherChain(parts, size)
    const header = this.#header
    writeBlockHeader(header, flags, stamp, size)
    sealBlock(header, parts, size)
    out.push(header)
    for (let i = 0; i < parts.length; i++) out.push(parts[i])
    out.push(endOf(size))
    return 1
  }

  #gatherChain(parts: readonly Uint8Array[], size: number): number {
    const stamp = this.#stamp
    const out = this.#out
    let count = 0
    let part = 0
    let at = 0
    for (let left = size; left > 0; count++) {
      const payloadSize = Math.min(left, payloadSizeMax)
      left -= payloadSize
      const pieces: Uint8Array[] = []
      for (let missing = payloadSize; missing > 0; ) {
        const piece = parts[part].subarray(at, at + missing)
        missing -= piece.length
        at += piece.length
        if (piece.length > 0) pieces.push(piece)
        if (at === parts[part].length) {
          part++
          at = 0
        }
      }
      const header = Buffer.alloc(blockHeaderSize)
      writeBlockHeader(header, (left > 0 ? BlockFlag.continued : 0) | (count > 0 ? BlockFlag.continuation : 0), stamp, payloadSize)
      sealBlock(header, pieces, payloadSize)
      out.push(header, ...pieces, left > 0 ? paddingOf(payloadSize) : endOf(payloadSize))
      stamp.number++
    }
    return count
  }

  #appendMarker(): void {
    if (this.#write(BlockFlag.marker, []) !== undefined) this.#isMarked = true
  }

  /** The segment that so many bytes go to. Throws DiskError. */
  #room(size: number): Segment {
    const current = this.#current
    if (current !== undefined && !this.#isSealed && (current.end + size + blockHeaderSize <= current.capacity || current.end === 0)) {
      if (current.end >= current.capacity >> 2) this.#spares.make()
      return current
    }
    return this.#beginSegment(size)
  }

  #beginSegment(size: number): Segment {
    const { files, segmentSize } = this.#world
    const isLarge = size + blockHeaderSize > segmentSize
    const segment = new Segment(files, this.#nextSegment, isLarge ? size + blockHeaderSize : segmentSize)
    this.#areNamesDirty = true
    if (isLarge || !this.#spares.take(segment.name)) segment.file
    this.#nextSegment++
    this.#isSealed = false
    this.#segments.push(segment)
    this.#current = segment
    return segment
  }

  seal(): void {
    if (this.#current !== undefined && !this.#current.isEmpty) this.#isSealed = true
  }

  // Syncing

  progress(): LogProgress {
    const failure = this.#failure
    return { written: this.#written, synced: this.#synced.position, failed: failure?.kind, message: failure?.message ?? '' }
  }

  #mark(): Mark {
    const segment = this.#current
    return {
      position: this.#written,
      number: this.#number,
      segment,
      end: segment?.end ?? 0,
      firstAt: segment?.firstAt ?? -1,
      lastAt: segment?.lastAt ?? -1,
    }
  }

  get #isAllSynced(): boolean {
    return this.#synced.number === this.#number
  }

  #sync(): void {
    this.#isSyncWanted = true
    if (this.#isSyncing || this.#failure !== undefined) return
    this.#isSyncing = true
    this.#isSyncWanted = false
    const life = this.#life
    const mark = this.#mark()
    const dirty = this.#dirty
    this.#dirty = []
    for (const segment of dirty) segment.isDirty = false
    let areNamesDirty = this.#areNamesDirty
    this.#areNamesDirty = false
    let index = 0
    const step = (error: DiskError | undefined): void => {
      if (life !== this.#life) return
      if (error !== undefined) {
        this.#fail(error)
      } else if (areNamesDirty) {
        areNamesDirty = false
        this.#world.disk.syncNames(step)
      } else if (index < dirty.length) {
        const segment = dirty[index++]
        try {
          segment.file.sync(step)
        } catch (error) {
          this.#fail(error)
        }
      } else {
        this.#finishSync(mark)
      }
    }
    step(undefined)
  }

  #finishSync(mark: Mark): void {
    this.#isSyncing = false
    this.#synced = mark
    this.#finishDroppings()
    if (this.#closed !== undefined) {
      this.#goOnClosing()
      return
    }
    if (this.#isSyncWanted) this.#sync()
    else if (!this.#isAllSynced || !this.#isMarked) this.#setTimer()
    this.#tellWaiting(undefined)
    this.#world.wake()
  }

  #setTimer(): void {
    if (this.#isTimerSet) return
    this.#isTimerSet = true
    this.#numberAtTimer = this.#number
    this.#world.later(lazyMs, this.#onTimer)
  }

  /** Syncs what was appended lazily. When there is nothing and all is quiet: the idle marker, so that what was synced last is known to be. */
  readonly #onTimer = (): void => {
    this.#isTimerSet = false
    if (this.#failure !== undefined || this.#isClosed || this.#closed !== undefined) return
    if (!this.#isAllSynced) this.#sync()
    else if (this.#number !== this.#numberAtTimer) this.#setTimer()
    else if (!this.#isMarked) {
      this.#appendMarker()
      this.#sync()
    }
  }

  // Failing

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = error instanceof DiskError ? error : new DiskError('broken', (error as Error).message)
    this.#life++
    this.#isSyncing = false
    this.#dirty = []
    const failure = this.#failure
    this.#world.later(0, () => {
      this.#tellWaiting(failure)
      if (this.#closed !== undefined) this.#end()
      else this.#world.wake()
    })
  }

  recover(): boolean {
    if (this.#failure === undefined) return true
    assert(!this.#isClosed)
    this.#life++
    this.#cutToSynced()
    this.#failure = undefined
    this.#isSyncing = false
    this.#number = this.#synced.number
    this.#written = this.#synced.position
    this.#epoch++
    try {
      this.#beginSegment(0)
    } catch (error) {
      this.#fail(error)
      return false
    }
    this.#appendMarker()
    if (this.#failure !== undefined) return false
    this.#appendDropped([...this.#lost])
    for (const dropping of this.#droppings) this.#recordDrop(dropping)
    this.#sync()
    return this.#failure === undefined
  }

  /** What is not synced is not there any more. Descriptors of files that may have failed are given up. */
  #cutToSynced(): void {
    const { segment: last, end, firstAt, lastAt, number } = this.#synced
    for (const segment of [...this.#segments]) {
      segment.isDirty = false
      if (last !== undefined && segment.id < last.id) continue
      segment.close()
      if (segment.id === last?.id) {
        segment.end = end
        segment.firstAt = firstAt
        segment.lastAt = lastAt
        segment.lastNumber = end === 0 ? 0 : number
        continue
      }
      this.#segments.splice(this.#segments.indexOf(segment), 1)
      this.#lost.add(segment.id)
      try {
        this.#world.disk.remove(segment.name)
      } catch {
        // Its blocks have numbers that will be used again, in a later epoch: so nobody takes them for the log.
      }
    }
    this.#dirty = []
  }

  // Reading

  replay(from: Position, each: (position: Position, bytes: Uint8Array) => void): Promise<LogReplay> {
    return new Promise((resolve) => {
      const { chain, through, damage } = this.#start
      const { stretches, damage: found } = from >= through ? chain : this.#wholeChain()
      let blockCount = 0
      for (const stretch of stretches) blockCount += readStretch(stretch, from, each)
      resolve({ blockCount, damage: [...damage, ...found], torn: chain.torn })
    })
  }

  /** From the first segment on. Those that should be there and are not have been found at the start. */
  #wholeChain(): Chain {
    const { segments, chain } = this.#start
    const first = segments.find(({ isEmpty }) => !isEmpty)
    if (first === undefined) return chain
    const absent = Array.from({ length: this.#nextSegment }, (_, id) => id).filter((id) => !segments.some((segment) => segment.id === id))
    return findChain(segments, { segment: first.id, at: 0, number: first.firstNumber, epoch: 0, durable: first.firstNumber - 1 }, absent)
  }

  read(from: Position, size: number, done: (reading: LogReading) => void): void {
    readLog(this, from, size, (run) => this.#world.later(0, run), done)
  }

  /** Of the segments that are there, the first from `id` on. */
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

  has(segment: Segment): boolean {
    return this.segmentFrom(segment.id) === segment
  }

  // Snapshots

  async loadSnapshot(): Promise<LogSnapshot | undefined> {
    const loaded = this.#loaded
    if (loaded !== undefined) {
      this.#loaded = undefined
      return loaded
    }
    const { newest } = findSnapshot(this.#world.disk)
    if (newest === undefined) return undefined
    return { through: this.#start.through, parts: newest.parts.slice(1) }
  }

  saveSnapshot({ through, parts }: LogSnapshot, done: (error: Error | undefined) => void): void {
    assert(!this.#isSaving, 'one snapshot is saved at a time')
    this.#isSaving = true
    const finish = (error: Error | undefined): void => {
      this.#isSaving = false
      if (!this.#isClosed) done(error)
    }
    const head = this.#headAt(through)
    if (head === undefined) {
      this.#world.later(0, () => finish(new Error('the log does not have the block that the snapshot goes through to')))
      return
    }
    const number = this.#nextSnapshot++
    const whole = [encodeHead(head), ...parts]
    const save = (error: Error | undefined): void => {
      if (error === undefined) this.#snapshots.save(number, whole, finish)
      else finish(error)
    }
    if (this.#synced.position >= through) save(undefined)
    else {
      this.#waiting.push({ position: through, run: save })
      this.#sync()
    }
  }

  /** Undefined: there is no append at `through`. */
  #headAt(through: Position): SnapshotHead | undefined {
    const segment = this.segmentFrom(segmentIdOf(through))
    const base = { log: this.identity, through }
    if (through === 0) return { ...base, segment: 1, end: 0, number: 1, epoch: 0, segments: [] }
    if (segment === undefined || segment.id !== segmentIdOf(through)) return undefined
    const cursor = new BlockCursor(segment.file)
    let at = offsetOf(through)
    do {
      if (!cursor.read(at)) return undefined
      at += cursor.size
    } while ((cursor.flags & BlockFlag.continued) !== 0)
    const { number, epoch } = cursor
    const before = this.#segments.filter(({ id, isEmpty }) => id < segment.id && !isEmpty).map((each) => each.toJson())
    const last = { ...segment.toJson(), lastAt: offsetOf(through), end: at, lastNumber: number }
    return { ...base, segment: segment.id, end: at, number: number + 1, epoch, segments: [...before, last] }
  }

  #tellWaiting(error: Error | undefined): void {
    const told = this.#waiting.filter(({ position }) => error !== undefined || position <= this.#synced.position)
    this.#waiting = this.#waiting.filter((each) => !told.includes(each))
    for (const { run } of told) run(error)
  }

  // Space

  segmentOf(position: Position): SegmentId {
    return segmentIdOf(position)
  }

  segments(): LogSegment[] {
    const listed = this.#segments.filter((segment) => segment.isRead || (segment !== this.#current && !segment.isEmpty))
    return listed.map(({ id, first, last, end }) => ({ id, first, last, size: end }))
  }

  drop(id: SegmentId): void {
    const segment = this.segmentFrom(id)
    if (segment === undefined || segment.id !== id) return
    assert(segment !== this.#current, 'the segment that is written to cannot be dropped')
    this.#segments.splice(this.#segments.indexOf(segment), 1)
    const dropping = { segment, size: segment.fileSize, number: Infinity }
    this.#droppings.push(dropping)
    this.#recordDrop(dropping)
  }

  /** The log says that the segment is given back, before it is. */
  #recordDrop(dropping: Dropping): void {
    if (!this.#appendDropped([dropping.segment.id])) return
    dropping.number = this.#number
    this.#setTimer()
  }

  #appendDropped(ids: readonly SegmentId[]): boolean {
    if (this.#failure !== undefined || ids.length === 0) return false
    const bytes = new Uint8Array(ids.length * 4)
    for (const [index, id] of ids.entries()) writeU32(bytes, index * 4, id)
    if (this.#write(BlockFlag.dropped, [bytes]) === undefined) return false
    this.#isMarked = false
    return true
  }

  #finishDroppings(): void {
    if (this.#droppings.length === 0) return
    const due = this.#droppings.filter(({ number }) => number <= this.#synced.number)
    this.#droppings = this.#droppings.filter(({ number }) => number > this.#synced.number)
    for (const { segment, size } of due) {
      segment.close()
      this.#areNamesDirty = true
      try {
        this.#spares.recycle(segment.name, size)
      } catch {
        // The log knows that it is not needed: it goes when the log is opened again.
      }
    }
  }

  space(): { readonly used: number; readonly free: number; readonly total: number } {
    let used = this.#spares.size + this.#snapshots.size
    for (const segment of this.#segments) used += segment.fileSize
    for (const { size } of this.#droppings) used += size
    try {
      return { used, ...this.#world.disk.space() }
    } catch {
      // A disk that does not answer, or whose directory is gone, has no room for anything.
      return { used, free: 0, total: 0 }
    }
  }

  // Ending

  close(done: () => void): void {
    assert(this.#closed === undefined, 'a log is closed once')
    this.#closed = done
    if (this.#failure !== undefined) this.#world.later(0, () => this.#end())
    else if (!this.#isSyncing) this.#goOnClosing()
  }

  #goOnClosing(): void {
    if (this.#failure !== undefined) return
    if (this.#isAllSynced && this.#isMarked) {
      this.#world.later(0, () => this.#end())
      return
    }
    if (this.#isAllSynced) this.#appendMarker()
    this.#sync()
  }

  #end(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#spares.stop()
    this.#snapshots.stop()
    for (const segment of this.#segments) segment.close()
    this.#closed!()
  }
}

/** Bytes of the blocks of an append that does not fit into one. */
function chainSizeOf(size: number): number {
  const wholeCount = Math.floor(size / payloadSizeMax)
  const rest = size - wholeCount * payloadSizeMax
  return wholeCount * blockSizeOf(payloadSizeMax) + (rest > 0 ? blockSizeOf(rest) : 0)
}
