/**
 * A log on paper: blocks in a list, synced when they are appended or when the test says so. What is read comes when the test lets it (`answer`). A later life begins
 * with the blocks that an earlier one left: all of them, or fewer.
 */
import type { Log, LogProgress, LogReading, LogReplay, LogSegment, LogSnapshot, Position } from '../../dist/ports/log.js'

/** Blocks in a segment. */
const segmentCount = 16

export class PaperLog implements Log {
  readonly identity: string = 'paper'
  epoch = 1
  /** Block n stands at n - 1; those of segments that were dropped are empty. */
  readonly blocks: Buffer[] = []
  snapshot: LogSnapshot | undefined
  readonly dropped = new Set<number>()
  /** False: what is appended is synced when the test says so. */
  syncsAtOnce = true
  synced: Position = 0
  isClosed = false
  wake: () => void = () => undefined
  #answers: (() => void)[] = []

  /** A log with the first blocks of another one, and a snapshot of it if that is not newer. */
  static upTo(log: PaperLog, count: number, snapshot: LogSnapshot | undefined): PaperLog {
    const copy = new PaperLog()
    copy.blocks.push(...log.blocks.slice(0, count))
    copy.synced = count
    copy.epoch = log.epoch + 1
    if (snapshot !== undefined && snapshot.through <= count) copy.snapshot = snapshot
    return copy
  }

  /** The same log as it lies there: what was dropped is not. */
  static after(log: PaperLog): PaperLog {
    const copy = PaperLog.upTo(log, log.blocks.length, log.snapshot)
    for (const segment of log.dropped) copy.drop(segment)
    return copy
  }

  append(parts: readonly Uint8Array[], need: 'sync' | 'lazy'): Position {
    const bytes = Buffer.concat(parts)
    if (bytes.length > 0) this.blocks.push(bytes)
    if (this.syncsAtOnce && need === 'sync') this.sync()
    return this.blocks.length
  }

  /** Everything so far survives a power cut. */
  sync(): void {
    this.synced = this.blocks.length
    this.wake()
  }

  /** Tells what was asked for; false if nothing was. */
  answer(): boolean {
    const answers = this.#answers
    this.#answers = []
    for (const answer of answers) answer()
    return answers.length > 0
  }

  progress(): LogProgress {
    return { written: this.blocks.length, synced: this.synced, failed: undefined, message: '' }
  }

  replay(from: Position, each: (position: Position, bytes: Uint8Array) => void): Promise<LogReplay> {
    for (let at = from; at < this.blocks.length; at++) if (!this.dropped.has(this.segmentOf(at + 1))) each(at + 1, this.blocks[at]!)
    return Promise.resolve({ blockCount: this.blocks.length - from, damage: [], torn: undefined })
  }

  loadSnapshot(): Promise<LogSnapshot | undefined> {
    return Promise.resolve(this.snapshot)
  }

  recover(): boolean {
    return true
  }

  read(from: Position, size: number, done: (reading: LogReading) => void): void {
    const blocks: { position: Position; bytes: Uint8Array }[] = []
    let read = 0
    let position = Math.max(1, from)
    for (; position <= this.blocks.length && (read < size || blocks.length === 0); position++) {
      if (this.dropped.has(this.segmentOf(position))) continue
      const bytes = this.blocks[position - 1]!
      blocks.push({ position, bytes })
      read += bytes.length
    }
    this.#answers.push(() => done({ blocks, next: position <= this.blocks.length ? position : undefined, damage: [] }))
    this.wake()
  }

  saveSnapshot(snapshot: LogSnapshot, done: (error: Error | undefined) => void): void {
    this.#answers.push(() => {
      this.snapshot = snapshot
      done(undefined)
    })
    this.wake()
  }

  segmentOf(position: Position): number {
    return Math.ceil(position / segmentCount)
  }

  segments(): LogSegment[] {
    const segments: LogSegment[] = []
    for (let id = 1; (id - 1) * segmentCount < this.blocks.length; id++) {
      if (this.dropped.has(id)) continue
      const first = (id - 1) * segmentCount + 1
      const last = Math.min(id * segmentCount, this.blocks.length)
      const size = this.blocks.slice(first - 1, last).reduce((sum, { length }) => sum + length, 0)
      segments.push({ id, first, last, size })
    }
    return segments
  }

  seal(): void {}

  drop(segment: number): void {
    this.dropped.add(segment)
  }

  space(): { used: number; free: number; total: number } {
    const used = this.segments().reduce((sum, { size }) => sum + size, 0)
    return { used, free: 2 ** 40, total: 2 ** 40 }
  }

  close(done: () => void): void {
    this.isClosed = true
    this.sync()
    this.#answers.push(done)
    this.wake()
  }
}
