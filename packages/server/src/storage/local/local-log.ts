// Hot: every kept byte goes through `append`.
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
import { DiskError } from '../../ports/disk.js'
import type { Log, LogDamage, LogProgress, LogReading, LogReplay, LogSegment, LogSnapshot, Position, SegmentId } from '../../ports/log.js'
import { BlockFlag } from './block.js'
import { type Chain, findChain, readStretch } from './chain.js'
import { Drops } from './drops.js'
import { GroupSync } from './group-sync.js'
import { encodeHead, headAt } from './head.js'
import { goBack, type Mark, markOf } from './mark.js'
import { readLog } from './reading.js'
import { segmentIdOf } from './segment.js'
import { SegmentList } from './segment-list.js'
import { SegmentWriter } from './segment-writer.js'
import { findSnapshot, SnapshotWriter } from './snapshots.js'
import { Spares } from './spares.js'
import type { LocalLogStart, LocalLogWorld } from './start.js'

/** What is appended lazily is synced after this time at the latest; the idle marker follows the last sync by it. */
const lazyMs = 100

export class LocalLog implements Log {
  readonly identity: string
  readonly #world: LocalLogWorld
  readonly #start: LocalLogStart
  readonly #segments: SegmentList
  readonly #spares: Spares
  readonly #snapshots: SnapshotWriter
  readonly #drops: Drops
  readonly #syncs: GroupSync
  readonly #writer: SegmentWriter
  #nextSnapshot: number
  #loaded: LogSnapshot | undefined
  #isMarked = true
  #written: Position
  #synced: Mark
  /** The block with which the epoch begins: until it is synced, the disk may give what was lost before it for the log. */
  #firstNumber = 0
  #failure: DiskError | undefined
  /** Something has been appended since the sync under way began that must not wait. */
  #isSyncWanted = false
  #isTimerSet = false
  #numberAtTimer = 0
  #waiting: { readonly position: Position; readonly run: (error: Error | undefined) => void }[] = []
  #isSaving = false
  #closed: (() => void) | undefined
  #isClosed = false

  constructor(world: LocalLogWorld, start: LocalLogStart) {
    const { disk, later, segmentSize, spareCount } = world
    this.#world = world
    this.#start = start
    this.identity = start.identity
    this.#segments = new SegmentList(start.segments)
    this.#nextSnapshot = start.nextSnapshot
    if (start.parts !== undefined) this.#loaded = { through: start.through, parts: start.parts }
    this.#written = start.written
    this.#failure = start.failure
    this.#spares = new Spares({ disk, later, segmentSize, countMax: spareCount })
    this.#spares.find()
    this.#snapshots = new SnapshotWriter({ disk, later })
    this.#drops = new Drops(this.#spares)
    this.#syncs = new GroupSync(disk)
    this.#writer = new SegmentWriter({
      clock: world.clock,
      files: world.files,
      segments: this.#segments,
      segmentSize,
      spares: this.#spares,
      syncs: this.#syncs,
      epoch: start.epoch,
      number: start.chain.number,
      nextSegment: start.nextSegment,
      isSealed: start.isSealed,
    })
    this.#synced = this.#mark()
  }

  get epoch(): number {
    return this.#writer.epoch
  }

  /** What is there is synced; the epoch begins, in the log too. */
  begin(): void {
    if (this.#failure === undefined) this.#appendMarker()
    if (this.#failure === undefined) this.#sync()
  }

  // Appending

  append(parts: readonly Uint8Array[], need: 'sync' | 'lazy'): Position {
    if (this.#failure !== undefined || this.#isClosed) return this.#written
    const position = this.#write(0, parts)
    if (position === undefined) return this.#written
    this.#isMarked = false
    this.#written = position
    if (need === 'sync') this.#sync()
    else this.#setTimer()
    return this.#written
  }

  /** Undefined: that failed. */
  #write(flags: number, parts: readonly Uint8Array[]): Position | undefined {
    try {
      return this.#writer.write(flags, parts, this.#synced.number)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#fail(error)
      return undefined
    }
  }

  #appendMarker(): void {
    if (this.#write(BlockFlag.marker, []) !== undefined) this.#isMarked = true
  }

  seal(): void {
    this.#writer.seal()
  }

  // Syncing

  progress(): LogProgress {
    const failure = this.#failure
    return { written: this.#written, synced: this.#synced.position, failed: failure?.kind, message: failure?.message ?? '' }
  }

  #mark(): Mark {
    return markOf(this.#segments.current, this.#written, this.#writer.number)
  }

  get #isAllSynced(): boolean {
    return this.#synced.number === this.#writer.number
  }

  #sync(): void {
    this.#isSyncWanted = true
    if (this.#syncs.isUnderWay || this.#failure !== undefined) return
    this.#isSyncWanted = false
    const mark = this.#mark()
    this.#syncs.begin((error) => {
      if (error === undefined) this.#finishSync(mark)
      else this.#fail(error)
    })
  }

  #finishSync(mark: Mark): void {
    this.#synced = mark
    if (this.#drops.synced(mark.number)) this.#syncs.areNamesDirty = true
    if (this.#closed !== undefined) {
      this.#goOnClosing()
      return
    }
    if (this.#isSyncWanted) this.#sync()
    else if (!this.#isAllSynced || !this.#isMarked) this.#setTimer()
    this.#tellWaiting()
    this.#world.wake()
  }

  #setTimer(): void {
    if (this.#isTimerSet) return
    this.#isTimerSet = true
    this.#numberAtTimer = this.#writer.number
    this.#world.later(lazyMs, this.#onTimer)
  }

  /** Syncs what was appended lazily. When there is nothing and all is quiet: the idle marker, so that what was synced last is known to be. */
  readonly #onTimer = (): void => {
    this.#isTimerSet = false
    if (this.#failure !== undefined || this.#isClosed || this.#closed !== undefined) return
    if (!this.#isAllSynced) this.#sync()
    else if (this.#writer.number !== this.#numberAtTimer) this.#setTimer()
    else if (!this.#isMarked) {
      this.#appendMarker()
      this.#sync()
    }
  }

  // Failing

  #fail(error: DiskError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#syncs.forget()
    const waiting = this.#waiting
    this.#waiting = []
    this.#world.later(0, () => {
      for (const { run } of waiting) run(error)
      if (this.#closed !== undefined) this.#end()
      else this.#world.wake()
    })
  }

  recover(): boolean {
    if (this.#failure === undefined) return true
    assert(!this.#isClosed)
    this.#syncs.forget()
    this.#cutToSynced()
    this.#failure = undefined
    this.#writer.number = this.#synced.number
    this.#written = this.#synced.position
    this.#drops.unsaid(this.#writer.number)
    this.#writer.epoch++
    try {
      this.#writer.begin(0)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#fail(error)
      return false
    }
    this.#appendMarker()
    this.#firstNumber = this.#writer.number
    this.#appendDrops(true)
    if (this.#failure === undefined) this.#sync()
    return this.#failure === undefined
  }

  /** What is not synced is not there any more. Descriptors of files that may have failed are given up. */
  #cutToSynced(): void {
    const { segment: last } = this.#synced
    for (const segment of [...this.#segments]) {
      if (last !== undefined && segment.id < last.id) continue
      segment.close()
      if (segment === last) {
        goBack(this.#synced)
        continue
      }
      this.#segments.remove(segment)
      this.#drops.lose(segment.id)
      try {
        this.#world.disk.remove(segment.name)
      } catch {
        // Its blocks have numbers that will be used again, in a later epoch: so nobody takes them for the log.
      }
    }
  }

  // Reading

  replay(from: Position, each: (position: Position, bytes: Uint8Array) => void): Promise<LogReplay> {
    return new Promise((resolve) => {
      const { chain, through, damage } = this.#start
      const { stretches, damage: found } = from >= through ? chain : this.#wholeChain()
      let blockCount = 0
      const changed: LogDamage[] = []
      for (const stretch of stretches) blockCount += readStretch(stretch, from, each, (lost) => changed.push(lost))
      resolve({ blockCount, damage: [...damage, ...found, ...changed], torn: chain.torn })
    })
  }

  /** From the first segment on. Those that should be there and are not have been found at the start. */
  #wholeChain(): Chain {
    const { segments, chain } = this.#start
    const first = segments.find(({ isEmpty }) => !isEmpty)
    if (first === undefined) return chain
    const absent = Array.from({ length: this.#writer.nextSegment }, (_, id) => id).filter(
      (id) => !segments.some((segment) => segment.id === id),
    )
    return findChain(segments, { segment: first.id, at: 0, number: first.firstNumber, epoch: 0, durable: first.firstNumber - 1 }, absent)
  }

  read(from: Position, size: number, done: (reading: LogReading) => void): void {
    readLog(this.#segments, from, size, (run) => this.#world.later(0, run), done)
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
    const head = headAt(this.identity, this.#segments, through)
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
    if (this.#isKept(through)) save(undefined)
    else if (this.#failure !== undefined) this.#world.later(0, () => save(this.#failure))
    else {
      this.#waiting.push({ position: through, run: save })
      this.#sync()
    }
  }

  /** Whether the block at `position` is synced, and all behind it is of this epoch. */
  #isKept(position: Position): boolean {
    return position <= this.#synced.position && this.#synced.number >= this.#firstNumber
  }

  /** What has waited for a sync. */
  #tellWaiting(): void {
    const told = this.#waiting.filter(({ position }) => this.#isKept(position))
    this.#waiting = this.#waiting.filter((each) => !told.includes(each))
    for (const { run } of told) run(undefined)
  }

  // Space

  segmentOf(position: Position): SegmentId {
    return segmentIdOf(position)
  }

  segments(): LogSegment[] {
    return this.#segments.listed()
  }

  drop(id: SegmentId): void {
    const segment = this.#segments.get(id)
    if (segment === undefined) return
    assert(segment !== this.#segments.current, 'the segment that is written to cannot be dropped')
    this.#segments.remove(segment)
    this.#drops.add(segment)
    this.#appendDrops(false)
  }

  #appendDrops(isBegin: boolean): void {
    const ids = this.#failure === undefined ? this.#drops.toSay(isBegin) : undefined
    if (ids === undefined || this.#write(BlockFlag.dropped, [ids]) === undefined) return
    this.#isMarked = false
    this.#drops.said(this.#writer.number)
    this.#setTimer()
  }

  space(): { readonly used: number; readonly free: number; readonly total: number } {
    const used = this.#segments.fileSize + this.#drops.size + this.#spares.size + this.#snapshots.size
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
    else if (!this.#syncs.isUnderWay) this.#goOnClosing()
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
