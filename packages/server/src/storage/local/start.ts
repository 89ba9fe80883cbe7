/** What a log on a local disk begins with. */
import type { Clock } from '../../ports/clock.js'
import type { Disk, DiskError } from '../../ports/disk.js'
import type { LogDamage, Position } from '../../ports/log.js'
import type { Chain } from './chain.js'
import type { Segment, SegmentFiles } from './segment.js'

/** What has been found on the disk. */
export interface LocalLogStart {
  readonly identity: string
  readonly epoch: number
  readonly chain: Chain
  /** All that there are, in order; the last one is written to, if it is not full, and the log ends there. */
  readonly segments: readonly Segment[]
  /** The log does not end in the last of them, but behind it. */
  readonly isSealed: boolean
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
