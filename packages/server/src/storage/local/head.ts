/** What the engine itself has to know of the log at a snapshot: the first part of each snapshot. */
import type { Position } from '../../ports/log.js'
import { BlockFlag } from './block.js'
import { BlockCursor } from './cursor.js'
import { offsetOf, type SegmentJson, segmentIdOf } from './segment.js'
import type { SegmentList } from './segment-list.js'

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

/** Undefined: there is no append at `through`. */
export function headAt(log: string, segments: SegmentList, through: Position): SnapshotHead | undefined {
  if (through === 0) return { log, through, segment: 1, end: 0, number: 1, epoch: 0, segments: [] }
  const segment = segments.get(segmentIdOf(through))
  if (segment === undefined) return undefined
  const cursor = new BlockCursor(segment.file)
  let end = offsetOf(through)
  do {
    if (!cursor.read(end)) return undefined
    end += cursor.size
  } while ((cursor.flags & BlockFlag.continued) !== 0)
  const { number, epoch } = cursor
  const before = [...segments].filter(({ id, isEmpty }) => id < segment.id && !isEmpty).map((each) => each.toJson())
  const last = { ...segment.toJson(), lastAt: offsetOf(through), end, lastNumber: number }
  return { log, through, segment: segment.id, end, number: number + 1, epoch, segments: [...before, last] }
}

export function encodeHead(head: SnapshotHead): Uint8Array {
  return Buffer.from(JSON.stringify(head))
}

export function decodeHead(part: Uint8Array): SnapshotHead {
  return JSON.parse(Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('utf8')) as SnapshotHead
}
