/** Where a sync brings the log, and what its last segment has up to there. */
import type { Position } from '../../ports/log.js'
import type { Segment } from './segment.js'

export interface Mark {
  readonly position: Position
  /** Of the last block. */
  readonly number: number
  /** Undefined: there is none yet. */
  readonly segment: Segment | undefined
  readonly end: number
  readonly firstAt: number
  readonly lastAt: number
  /** Of the last block in the segment. */
  readonly lastNumber: number
}

export function markOf(segment: Segment | undefined, position: Position, number: number): Mark {
  const { end = 0, firstAt = -1, lastAt = -1, lastNumber = 0 } = segment ?? {}
  return { position, number, segment, end, firstAt, lastAt, lastNumber }
}

/** The segment of the mark has again what it had then. */
export function goBack({ segment, end, firstAt, lastAt, lastNumber }: Mark): void {
  if (segment === undefined) return
  segment.end = end
  segment.firstAt = firstAt
  segment.lastAt = lastAt
  segment.lastNumber = lastNumber
}
