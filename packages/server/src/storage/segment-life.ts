/**
 * What in each segment of the log is still needed:
 *
 *     ids        1 ················· 800 ·········· 2,000 ·······
 *     segments   │ 1               │ 2             │ 3              by the first id in each; moved messages by their own index
 *     live          ├─┤                  ├───────────────────┤
 *
 * Sizes are about right. `isNeeded` errs on one side only: a segment is not needed if surely no queue has a message in it.
 */
import type { LogSegment, Position, SegmentId } from '../ports/log.js'
import type { IdIndex } from './id-index.js'
import type { LiveRanges } from './live-ranges.js'
import type { MovedIndex, MovedMark } from './moved-index.js'

export interface SegmentLife {
  readonly segment: LogSegment
  /** About the bytes of records that queues have. */
  liveSize: number
  isNeeded: boolean
  /** Whether messages were first written here; else they were all moved here. */
  readonly isFirstHome: boolean
}

export interface LifeIndexes {
  readonly index: IdIndex
  readonly moved: MovedIndex
  readonly segmentOf: (position: Position) => SegmentId
}

export function measureLife(segments: readonly LogSegment[], live: LiveRanges, { index, moved, segmentOf }: LifeIndexes): SegmentLife[] {
  const lives: SegmentLife[] = []
  const byId = new Map<SegmentId, SegmentLife>()
  const homes: SegmentLife[] = []
  const firstIds: number[] = []
  for (const [i, segment] of segments.entries()) {
    const firstId = index.firstFrom(segment.first)
    const next = segments[i + 1]
    const isFirstHome = firstId !== Infinity && (next === undefined || firstId !== index.firstFrom(next.first))
    const life = { segment, liveSize: 0, isNeeded: false, isFirstHome }
    lives.push(life)
    byId.set(segment.id, life)
    if (!isFirstHome) continue
    homes.push(life)
    firstIds.push(firstId)
  }
  live.each((first, last, size) => {
    const count = last - first + 1
    let coveredCount = 0
    if (moved.count > 0) {
      const marks = moved.overlaps(first, last)
      for (const { first: from, last: to, position } of marks) {
        const life = byId.get(segmentOf(position))
        if (life === undefined) continue
        life.isNeeded = true
        life.liveSize += (size * (Math.min(last, to) - Math.max(first, from) + 1)) / count
      }
      coveredCount = idsCovered(marks, first, last)
    }
    // Also where all of it was moved away from: nobody has looked yet whether all of it is in the new place.
    const rest = size * (1 - coveredCount / count)
    for (let home = Math.max(0, indexOf(firstIds, first)); home < homes.length && firstIds[home]! <= last; home++) {
      const from = Math.max(first, firstIds[home]!)
      const to = home + 1 < homes.length ? Math.min(last, firstIds[home + 1]! - 1) : last
      homes[home]!.isNeeded = true
      homes[home]!.liveSize += (rest * (to - from + 1)) / count
    }
  })
  return lives
}

/** The last index whose number is not above `id`, or -1. */
function indexOf(numbers: readonly number[], id: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (numbers[middle]! <= id) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** How many of the ids from `first` to `last` are in a range, whose first ids rise. */
function idsCovered(marks: readonly MovedMark[], first: number, last: number): number {
  let count = 0
  let next = first
  for (const mark of marks) {
    const from = Math.max(next, mark.first)
    const to = Math.min(last, mark.last)
    if (to < from) continue
    count += to - from + 1
    next = to + 1
  }
  return count
}
