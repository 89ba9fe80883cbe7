/** What the engine itself has to know of the log at a snapshot: the first part of each snapshot. */
import type { Position } from '../../ports/log.js'
import type { SegmentJson } from './segment.js'

export interface SnapshotHead {
  readonly log: string
  readonly through: Position
  /** Behind the block at `through`: where the log goes on, with which number, in which epoch at least. */
  readonly segment: number
  readonly end: number
  readonly number: number
  readonly epoch: number
  /** Those that were there, up to the one with `through`; of that one what is up to there. */
  readonly segments: readonly SegmentJson[]
}

export function encodeHead(head: SnapshotHead): Uint8Array {
  return Buffer.from(JSON.stringify(head))
}

export function decodeHead(part: Uint8Array): SnapshotHead {
  return JSON.parse(Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('utf8')) as SnapshotHead
}
