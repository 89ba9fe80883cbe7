/** A log that only remembers what it was given; the disk is as fast as the test says. */
import type { Log, LogProgress, LogReading, LogReplay, LogSegment, LogSnapshot, Position } from '../../dist/ports/log.js'

export interface Appended {
  readonly bytes: Buffer
  readonly need: 'sync' | 'lazy'
}

export class RecordingLog implements Log {
  readonly identity = 'abc'
  readonly epoch = 1
  readonly appended: Appended[] = []
  last: Position = 0
  synced: Position = 0
  failed: LogProgress['failed']

  append(parts: readonly Uint8Array[], need: 'sync' | 'lazy'): Position {
    const bytes = Buffer.concat(parts)
    if (bytes.length === 0) return this.last
    this.appended.push({ bytes, need })
    return ++this.last
  }

  /** Everything so far survives a power cut. */
  sync(): void {
    this.synced = this.last
  }

  progress(): LogProgress {
    return { written: this.last, synced: this.synced, failed: this.failed, message: '' }
  }

  replay(): Promise<LogReplay> {
    return Promise.resolve({ blockCount: 0, damage: [], torn: undefined })
  }

  loadSnapshot(): Promise<LogSnapshot | undefined> {
    return Promise.resolve(undefined)
  }

  recover(): boolean {
    this.failed = undefined
    return true
  }

  read(_from: Position, _size: number, done: (reading: LogReading) => void): void {
    done({ blocks: [], next: undefined, damage: [] })
  }

  saveSnapshot(_snapshot: LogSnapshot, done: (error: Error | undefined) => void): void {
    done(undefined)
  }

  segmentOf(): number {
    return 1
  }

  segments(): LogSegment[] {
    return []
  }

  seal(): void {}

  drop(): void {}

  space(): { used: number; free: number; total: number } {
    return { used: 0, free: 2 ** 40, total: 2 ** 40 }
  }

  close(done: () => void): void {
    done()
  }
}
