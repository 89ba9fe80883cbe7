/**
 * An append-only log of one shard, with one writer: what the journal keeps its entries in. `memory` and `local` are the engines here; another one
 * may keep them with somebody else. No file names and no byte offsets of any engine appear in it.
 *
 *     append ─▶ written ─▶ synced            positions only rise; a block is there whole or not at all
 *
 * An engine is tested by the contract suite (`@waybill/server/testing`).
 */

/** Where a block lies. Rises with every append; only the engine knows what it is made of. 0: before the first block. */
export type Position = number

/** A part of the log that is dropped as a whole. Rises. */
export type SegmentId = number

export interface LogProgress {
  /** Every block up to here is seen by whoever reads. */
  readonly written: Position
  /** Every block up to here survives a power cut. */
  readonly synced: Position
  /** Undefined while all is well. `full`: there was no space; `fenced`: somebody else is the owner now; `broken`: anything else. What is not synced then is lost. */
  readonly failed: 'full' | 'broken' | 'fenced' | undefined
  /** For people. */
  readonly message: string
}

export interface LogBlock {
  readonly position: Position
  /** What was appended, in one piece. The caller may keep it. */
  readonly bytes: Uint8Array
}

/** Bytes that should be there and are not, or are not what was written. */
export interface LogDamage {
  readonly segment: SegmentId
  /** What a person can look up: file and offset. */
  readonly where: string
  readonly message: string
}

export interface LogReading {
  readonly blocks: readonly LogBlock[]
  /** Where to read on; undefined: there is nothing more. */
  readonly next: Position | undefined
  readonly damage: readonly LogDamage[]
}

export interface LogReplay {
  readonly blockCount: number
  readonly damage: readonly LogDamage[]
  /** Bytes behind the last whole block that were begun and not ended: a write that was cut, or undefined. */
  readonly torn: LogDamage | undefined
}

export interface LogSegment {
  readonly id: SegmentId
  /** Position of its first block. */
  readonly first: Position
  /** Position of its last block; of the segment written to now: of the last block so far. */
  readonly last: Position
  /** Bytes of its blocks. */
  readonly size: number
}

export interface LogSnapshot {
  /** It says what follows from every block up to here. */
  readonly through: Position
  readonly parts: readonly Uint8Array[]
}

export interface Log {
  /** The name of this log: drawn when it was made, the same for ever. */
  readonly identity: string
  /** Rises with every owner. Who has an older one can append no more. */
  readonly epoch: number
  /** Calls each block behind `from` in order; its bytes are good until `each` returns. Only before the first append. */
  replay(from: Position, each: (position: Position, bytes: Uint8Array) => void): Promise<LogReplay>
  /** The newest snapshot that is whole. */
  loadSnapshot(): Promise<LogSnapshot | undefined>
  /**
   * Appends one block, the parts one behind another: in order, whole or not at all. `sync`: it is synced as soon as can be; `lazy`: with
   * the next sync, or after 100 ms. The parts may change after the call. After a failure nothing is appended, and the position is that of the last block.
   */
  append(parts: readonly Uint8Array[], need: 'sync' | 'lazy'): Position
  /** Asked by the turn; `wake` of the options is called when it has changed. */
  progress(): LogProgress
  /** After `failed`: goes on behind what was synced, in another place; what was appended and not synced is gone for ever. False: that failed too. The owner saves a snapshot next. */
  recover(): boolean
  /** Reads about `size` bytes of blocks from the one at `from` on, at least one block; verified. `done` is never called within the call. */
  read(from: Position, size: number, done: (reading: LogReading) => void): void
  /** Makes the snapshot the newest one, synced; those before it go. Errors leave the older one. */
  saveSnapshot(snapshot: LogSnapshot, done: (error: Error | undefined) => void): void
  segmentOf(position: Position): SegmentId
  /** In order; those that have been dropped are not there. */
  segments(): LogSegment[]
  /** Begins a new segment with the next append. */
  seal(): void
  /** Gives a segment's space back; in any order. Never the one being written to. */
  drop(segment: SegmentId): void
  /** Bytes that the log takes, snapshots and spares included, and those that are free where it lies. */
  space(): { readonly used: number; readonly free: number; readonly total: number }
  /** Syncs, and ends; `done` is told once. */
  close(done: () => void): void
}

export interface LogOptions {
  /** `progress` has changed: a turn should look. May be called at any time but within a call of the log. */
  readonly wake: () => void
}
