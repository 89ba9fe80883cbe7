/** A log in memory that can be read, in pieces that arrive when the test says so. Blocks have the positions 1, 2, 3 … */
import type { LogBlock, LogDamage, LogReading, LogReplay, LogSegment, Position } from '../../dist/ports/log.js'
import { RecordingLog } from './recording-log.js'

export class ReadableLog extends RecordingLog {
  /** Blocks that cannot be read. */
  readonly bad = new Set<Position>()
  /** Bytes of blocks that were read. */
  readSize = 0
  #arriving: (() => void)[] = []

  override read(from: Position, size: number, done: (reading: LogReading) => void): void {
    const blocks: LogBlock[] = []
    const damage: LogDamage[] = []
    let at = Math.max(1, from)
    for (let left = size; at <= this.last && left > 0; at++) {
      const { bytes } = this.appended[at - 1]!
      left -= bytes.length
      this.readSize += bytes.length
      if (this.bad.has(at)) damage.push({ segment: 1, where: `block ${at}`, message: 'its checksum is wrong' })
      else blocks.push({ position: at, bytes })
    }
    this.#arriving.push(() => done({ blocks, next: at <= this.last ? at : undefined, damage }))
  }

  override async replay(from: Position = 0, each?: (position: Position, bytes: Uint8Array) => void): Promise<LogReplay> {
    for (let at = from + 1; at <= this.last; at++) each?.(at, this.appended[at - 1]!.bytes)
    return { blockCount: this.last - from, damage: [], torn: undefined }
  }

  override segments(): LogSegment[] {
    return [{ id: 1, first: 1, last: this.last, size: this.appended.reduce((sum, { bytes }) => sum + bytes.length, 0) }]
  }

  /** What was asked for arrives. False: nothing was. */
  arrive(): boolean {
    const arriving = this.#arriving
    this.#arriving = []
    for (const done of arriving) done()
    return arriving.length > 0
  }
}
