/**
 * The log in memory: for tests, and for brokers that are embedded and keep nothing behind their end. It takes the same road as the one on a disk: what is
 * appended is synced a moment later.
 *
 * What it holds is in its store. Opening the store again fences the log that was opened before, as if its process had died.
 */
import assert from 'node:assert'
import type {
  Log,
  LogDamage,
  LogOptions,
  LogProgress,
  LogReading,
  LogReplay,
  LogSegment,
  LogSnapshot,
  Position,
  SegmentId,
} from '../ports/log.js'

const positionsPerSegment = 2 ** 32
const lazyMs = 100

export interface MemoryLogOptions extends LogOptions {
  /** Calls `run` once, at least `ms` later, never within the call. */
  readonly later: (ms: number, run: () => void) => void
  /** Bytes of a segment; 64 MiB. */
  readonly segmentSize?: number
  /** Bytes that it may hold; without limit. */
  readonly sizeMax?: number
}

interface MemorySegment {
  readonly id: SegmentId
  readonly blocks: { readonly position: Position; bytes: Buffer | undefined }[]
  size: number
}

/** What outlives a log in memory. */
export class MemoryLogStore {
  readonly identity: string
  epoch = 0
  readonly segments: MemorySegment[] = []
  nextSegment = 1
  snapshot: LogSnapshot | undefined
  size = 0
  /** Set by tests: the next syncs fail. */
  failing: 'full' | 'broken' | undefined

  constructor(identity: string) {
    this.identity = identity
  }

  open(options: MemoryLogOptions): MemoryLog {
    return new MemoryLog(this, ++this.epoch, options)
  }

  /** The block at this position is not what was written. */
  damage(position: Position): void {
    for (const segment of this.segments) for (const block of segment.blocks) if (block.position === position) block.bytes = undefined
  }
}

export class MemoryLog implements Log {
  epoch: number
  readonly #store: MemoryLogStore
  readonly #options: MemoryLogOptions
  #written: Position
  #synced: Position
  #failed: LogProgress['failed']
  #isSealed = false
  #isSyncing = false
  #isSyncWanted = false
  #isTimerSet = false
  #isClosed = false

  constructor(store: MemoryLogStore, epoch: number, options: MemoryLogOptions) {
    this.#store = store
    this.epoch = epoch
    this.#options = options
    this.#written = this.#synced = lastOf(store)
  }

  get identity(): string {
    return this.#store.identity
  }

  async replay(from: Position, each: (position: Position, bytes: Uint8Array) => void): Promise<LogReplay> {
    let blockCount = 0
    const damage: LogDamage[] = []
    for (const segment of this.#store.segments) {
      for (const { position, bytes } of segment.blocks) {
        if (position <= from) continue
        if (bytes === undefined) {
          damage.push(damageAt(segment.id, position))
          continue
        }
        blockCount++
        each(position, bytes)
      }
    }
    return { blockCount, damage, torn: undefined }
  }

  async loadSnapshot(): Promise<LogSnapshot | undefined> {
    return this.#store.snapshot
  }

  append(parts: readonly Uint8Array[], need: 'sync' | 'lazy'): Position {
    if (this.#isFenced() || this.#failed !== undefined || this.#isClosed) return this.#written
    const store = this.#store
    const bytes = Buffer.concat(parts)
    if (store.size + bytes.length > (this.#options.sizeMax ?? Infinity)) {
      this.#fail('full')
      return this.#written
    }
    const segment = this.#room(bytes.length)
    const position = segment.id * positionsPerSegment + segment.size
    segment.blocks.push({ position, bytes })
    segment.size += Math.max(8, bytes.length)
    store.size += bytes.length
    this.#written = position
    if (need === 'sync') this.#sync()
    else this.#setTimer()
    return position
  }

  #room(size: number): MemorySegment {
    const { segments } = this.#store
    const last = segments.at(-1)
    if (last !== undefined && !this.#isSealed && last.size + size <= (this.#options.segmentSize ?? 64 << 20)) return last
    this.#isSealed = false
    const segment = { id: this.#store.nextSegment++, blocks: [], size: 0 }
    segments.push(segment)
    return segment
  }

  progress(): LogProgress {
    return { written: this.#written, synced: this.#synced, failed: this.#failed, message: this.#failed ?? '' }
  }

  #sync(): void {
    this.#isSyncWanted = true
    if (this.#isSyncing) return
    this.#isSyncing = true
    this.#isSyncWanted = false
    const target = this.#written
    this.#options.later(0, () => {
      this.#isSyncing = false
      if (this.#isClosed || this.#isFenced() || this.#failed !== undefined) return
      if (this.#store.failing !== undefined) return this.#fail(this.#store.failing)
      this.#synced = Math.max(this.#synced, target)
      if (this.#isSyncWanted) this.#sync()
      this.#options.wake()
    })
  }

  #setTimer(): void {
    if (this.#isTimerSet) return
    this.#isTimerSet = true
    this.#options.later(lazyMs, () => {
      this.#isTimerSet = false
      if (!this.#isClosed && this.#synced < this.#written) this.#sync()
    })
  }

  /** Whether somebody else has opened the store. */
  #isFenced(): boolean {
    if (this.#failed !== 'fenced' && this.#store.epoch > this.epoch) this.#fail('fenced')
    return this.#failed === 'fenced'
  }

  #fail(kind: 'full' | 'broken' | 'fenced'): void {
    this.#failed = kind
    this.#options.later(0, () => {
      if (!this.#isClosed) this.#options.wake()
    })
  }

  recover(): boolean {
    if (this.#failed === undefined) return true
    const store = this.#store
    if (this.#isFenced() || store.failing !== undefined) return false
    for (const segment of store.segments) {
      const kept = segment.blocks.filter(({ position }) => position <= this.#synced)
      for (const { bytes } of segment.blocks.slice(kept.length)) store.size -= bytes?.length ?? 0
      segment.blocks.length = kept.length
    }
    if (store.size >= (this.#options.sizeMax ?? Infinity)) return false
    this.#failed = undefined
    this.#written = this.#synced
    this.epoch = ++store.epoch
    this.#isSealed = true
    return true
  }

  read(from: Position, size: number, done: (reading: LogReading) => void): void {
    const blocks: { position: Position; bytes: Uint8Array }[] = []
    const damage: LogDamage[] = []
    let next: Position | undefined
    let count = 0
    for (const segment of this.#store.segments) {
      for (const { position, bytes } of segment.blocks) {
        if (position < from) continue
        if (count >= size && count > 0) {
          next ??= position
          break
        }
        if (bytes === undefined) {
          damage.push(damageAt(segment.id, position))
          continue
        }
        blocks.push({ position, bytes })
        count += Math.max(1, bytes.length)
      }
      if (next !== undefined) break
    }
    this.#options.later(0, () => done({ blocks, next, damage }))
  }

  saveSnapshot(snapshot: LogSnapshot, done: (error: Error | undefined) => void): void {
    const saved = { through: snapshot.through, parts: snapshot.parts.map((part) => Uint8Array.from(part)) }
    if (snapshot.through > this.#synced) this.#sync()
    const look = (): void => {
      if (this.#isClosed) return
      if (this.#isFenced() || this.#failed !== undefined) {
        done(new Error(`the log has failed: ${this.#failed}`))
        return
      }
      if (this.#synced < snapshot.through) {
        this.#options.later(0, look)
        return
      }
      this.#store.snapshot = saved
      done(undefined)
    }
    this.#options.later(0, look)
  }

  segmentOf(position: Position): SegmentId {
    return Math.floor(position / positionsPerSegment)
  }

  segments(): LogSegment[] {
    return this.#store.segments
      .filter(({ blocks }) => blocks.length > 0)
      .map(({ id, blocks, size }) => ({ id, first: blocks[0].position, last: blocks[blocks.length - 1].position, size }))
  }

  seal(): void {
    this.#isSealed = true
  }

  drop(id: SegmentId): void {
    const { segments } = this.#store
    const index = segments.findIndex((segment) => segment.id === id)
    if (index < 0) return
    assert(index < segments.length - 1, 'the segment that is written to cannot be dropped')
    for (const { bytes } of segments[index].blocks) this.#store.size -= bytes?.length ?? 0
    segments.splice(index, 1)
  }

  space(): { readonly used: number; readonly free: number; readonly total: number } {
    const total = this.#options.sizeMax ?? Number.MAX_SAFE_INTEGER
    const snapshotSize = (this.#store.snapshot?.parts ?? []).reduce((sum, part) => sum + part.length, 0)
    return { used: this.#store.size + snapshotSize, free: Math.max(0, total - this.#store.size), total }
  }

  close(done: () => void): void {
    this.#options.later(0, () => {
      this.#isClosed = true
      if (this.#failed === undefined) this.#synced = this.#written
      done()
    })
  }
}

function lastOf({ segments, snapshot }: MemoryLogStore): Position {
  for (let i = segments.length - 1; i >= 0; i--) {
    const last = segments[i].blocks.at(-1)
    if (last !== undefined) return last.position
  }
  return snapshot?.through ?? 0
}

function damageAt(segment: SegmentId, position: Position): LogDamage {
  return {
    segment,
    where: `segment ${segment} of memory`,
    message: `the block at ${position % positionsPerSegment} is not what was written`,
  }
}
