/**
 * Which blocks of the segments are the log: from a place on, those whose numbers follow one another and whose epochs do not fall.
 *
 *     segment 1   │ 1 │ 2 │ 3 │ 4 │                    numbers go on in the next segment
 *     segment 2   │ 5 │ 6 │▒▒▒│ 8 │ 9 │ 10 │▒▒▒▒       7 is bad, 9 says durable through 8: *damage*, 8 is read on
 *                                         └── nothing behind it says that this was durable: *torn*, cut
 *
 * A recycled segment holds blocks of an earlier use: their numbers are too low. What an owner wrote and could not sync is written again by the next
 * epoch under the same numbers: what it supersedes is not the log any more. So the log is a list of *stretches*, and what lies between
 * two of them is damage. Chains of CONTINUED blocks that are not whole belong to no stretch's end.
 */
import { readU32 } from '@waybill/protocol'
import type { LogDamage, Position } from '../../ports/log.js'
import { BlockFlag, engineFlags } from './block.js'
import { BlockCursor } from './cursor.js'
import { offsetOf, positionOf, type Segment, segmentIdOf } from './segment.js'

/** Blocks that follow one another, in one segment. */
export interface Stretch {
  readonly segment: Segment
  readonly from: number
  to: number
  firstNumber: number
  lastNumber: number
  lastEpoch: number
  /** The highest `durable through` of its blocks. */
  durable: number
  /** Where its last append begins, the engine's own blocks among them. */
  lastAt: number
  /** Where the first and the last one begin that readers see; -1: there is none. */
  firstReadAt: number
  lastReadAt: number
}

export interface ChainStart {
  readonly segment: number
  readonly at: number
  /** Of the block that is expected there. */
  readonly number: number
  /** At least. */
  readonly epoch: number
  /** Known to be durable. */
  readonly durable: number
}

export interface Chain {
  readonly stretches: readonly Stretch[]
  readonly damage: readonly LogDamage[]
  readonly torn: LogDamage | undefined
  /** Segments that were given back. */
  readonly dropped: ReadonlySet<number>
  /** The last block. */
  readonly number: number
  readonly epoch: number
  readonly durable: number
  /** The highest epoch that was seen, in blocks that are not the log too. */
  readonly epochMax: number
}

/** Blocks that should be at `at` and are not. */
interface Gap {
  /** How many stretches stand before it. */
  readonly before: number
  readonly segment: Segment
  readonly at: number
  /** Of the first block that is missing. */
  readonly number: number
  /** The segment that follows, when whole segments between it and this one are missing. */
  readonly next: Segment | undefined
}

/** Reads the segments, in order of their ids, from `start` on. Those of `dropped` are known to have been given back. */
export function findChain(segments: readonly Segment[], start: ChainStart, dropped: Iterable<number> = []): Chain {
  const finder = new ChainFinder(start, dropped)
  const wanted = segments.filter(({ id }) => id >= start.segment)
  for (let i = 0; i < wanted.length; i++) finder.take(wanted[i], wanted[i + 1])
  return finder.end(wanted)
}

/**
 * Calls `each` with the appends of a stretch that are whole and behind `behind`; how many. What it gets is good until it returns. A block that was whole when the
 * stretch was found and is not now is told to `damaged`, and the next one is looked for.
 */
export function readStretch(
  stretch: Stretch,
  behind: Position,
  each: (position: Position, bytes: Uint8Array) => void,
  damaged: (damage: LogDamage) => void,
): number {
  const { segment } = stretch
  if (segmentIdOf(behind) > segment.id) return 0
  const start = segmentIdOf(behind) === segment.id ? offsetOf(behind) : 0
  const cursor = new BlockCursor(segment.file)
  const pieces: Uint8Array[] = []
  let firstAt = -1
  let count = 0
  let lastNumber = 0
  const isNext = ({ at, number }: BlockCursor): boolean => at < stretch.to && number > lastNumber && number <= stretch.lastNumber
  for (let at = Math.max(start, stretch.from); at < stretch.to; at = cursor.at + cursor.size) {
    if (!cursor.read(at)) {
      damaged({ segment: segment.id, where: `${segment.name} offset ${at}`, message: 'the block has changed since it was looked at' })
      firstAt = -1
      if (!cursor.search(at + 8, isNext)) break
    }
    const { flags } = cursor
    lastNumber = cursor.number
    if ((flags & BlockFlag.continuation) === 0) {
      pieces.length = 0
      firstAt = cursor.at
    } else if (firstAt < 0) continue
    if ((flags & BlockFlag.continued) !== 0) {
      pieces.push(cursor.payload.slice())
      continue
    }
    const position = positionOf(segment.id, firstAt)
    if ((flags & engineFlags) === 0 && position > behind) {
      count++
      each(position, pieces.length === 0 ? cursor.payload : Buffer.concat([...pieces, cursor.payload]))
    }
    firstAt = -1
  }
  return count
}

class ChainFinder {
  #stretches: Stretch[] = []
  #gaps: Gap[] = []
  readonly #start: ChainStart
  #number: number
  #epoch: number
  #epochMax = 0
  readonly #given: ReadonlySet<number>
  /** What blocks say of segments that were given back; it holds when the block is the log in the end. */
  #drops: { readonly number: number; readonly id: number }[] = []
  #torn: LogDamage | undefined
  /** The segment before, and where the log ended in it. */
  #previous: { readonly segment: Segment; readonly at: number } | undefined

  constructor(start: ChainStart, dropped: Iterable<number>) {
    this.#start = start
    this.#given = new Set(dropped)
    this.#number = start.number
    this.#epoch = start.epoch
  }

  take(segment: Segment, next: Segment | undefined): void {
    const cursor = new BlockCursor(segment.file)
    const start = segment.id === this.#start.segment ? this.#start.at : 0
    let at = start
    for (;;) {
      at = this.#follow(cursor, segment, at)
      // A segment of which nothing follows may be the beginning of an epoch, under numbers that were used before.
      if (next !== undefined && (at > start || cursor.isBlank(at)) && this.#goesOnIn(next)) break
      if (!cursor.search(at, this.#isLater)) break
      this.#number = this.#beginning(cursor, at)
      if (cursor.number > this.#number) this.#gaps.push(this.#gapBefore(segment, at, cursor.at))
      this.#number = cursor.number
      this.#epoch = cursor.epoch
      at = cursor.at
    }
    this.#previous = { segment, at }
  }

  /** Blocks are missing between `at` and `to`. When nothing is, they are missing at the end of the segment before, or a segment is. */
  #gapBefore(segment: Segment, at: number, to: number): Gap {
    const before = this.#stretches.length
    const number = this.#number
    const previousId = this.#previous?.segment.id ?? this.#start.segment - 1
    if (at > 0 || to > 0) return { before, segment, at, number, next: undefined }
    if (segment.id > previousId + 1)
      return { before, segment: this.#previous?.segment ?? segment, at: this.#previous?.at ?? 0, number, next: segment }
    return { before, segment: this.#previous?.segment ?? segment, at: this.#previous?.at ?? 0, number, next: undefined }
  }

  end(segments: readonly Segment[]): Chain {
    const missing: Gap[] = []
    for (const gap of this.#gaps) {
      const durable = Math.max(this.#start.durable, ...this.#stretches.slice(gap.before).map((stretch) => stretch.durable))
      if (gap.number > durable) {
        this.#tear(gap.segment, gap.at, 'the write that was begun here was cut, and with it what was written behind it')
        this.#stretches.length = gap.before
        break
      }
      missing.push(gap)
    }
    this.#cutUnended()
    const last = this.#stretches.at(-1)
    const number = last?.lastNumber ?? this.#start.number - 1
    if (this.#torn === undefined) this.#lookBehind(last, segments)
    const dropped = new Set(this.#given)
    for (const drop of this.#drops) if (drop.number <= number) dropped.add(drop.id)
    const isDamage = (gap: Gap): boolean => gap.next === undefined || !areDropped(dropped, previousIdOf(gap, this.#start), gap.next.id)
    let durable = this.#start.durable
    for (const stretch of this.#stretches) durable = Math.max(durable, stretch.durable)
    return {
      stretches: this.#stretches,
      damage: missing.filter(isDamage).map(damageOf),
      torn: this.#torn,
      dropped,
      number,
      epoch: last?.lastEpoch ?? this.#start.epoch,
      durable,
      epochMax: Math.max(this.#epochMax, this.#start.epoch),
    }
  }

  /** Takes the blocks from `at` on that follow one another; where they end. */
  #follow(cursor: BlockCursor, segment: Segment, from: number): number {
    let stretch: Stretch | undefined
    let at = from
    while (cursor.read(at) && cursor.number === this.#number && cursor.epoch >= this.#epoch) {
      const { number, epoch, flags, durable } = cursor
      if (stretch === undefined) {
        stretch = {
          segment,
          from,
          to: at,
          firstNumber: number,
          lastNumber: 0,
          lastEpoch: 0,
          durable: 0,
          lastAt: at,
          firstReadAt: -1,
          lastReadAt: -1,
        }
        this.#stretches.push(stretch)
      }
      if ((flags & BlockFlag.continuation) === 0) stretch.lastAt = at
      if ((flags & (BlockFlag.continuation | engineFlags)) === 0) {
        if (stretch.firstReadAt < 0) stretch.firstReadAt = at
        stretch.lastReadAt = at
      }
      if ((flags & BlockFlag.dropped) !== 0) this.#noteDropped(number, cursor.payload)
      at += cursor.size
      stretch.to = at
      stretch.lastNumber = number
      stretch.lastEpoch = epoch
      if (durable > stretch.durable) stretch.durable = durable
      this.#number = number + 1
      this.#epoch = epoch
    }
    this.#epochMax = Math.max(this.#epochMax, this.#epoch)
    return at
  }

  #noteDropped(number: number, ids: Uint8Array): void {
    for (let i = 0; i < ids.length; i += 4) this.#drops.push({ number, id: readU32(ids, i) })
  }

  #goesOnIn(next: Segment): boolean {
    const cursor = new BlockCursor(next.file)
    return cursor.read(0) && cursor.number === this.#number && cursor.epoch >= this.#epoch
  }

  /** Blocks of an earlier use of the file have lower numbers, or an epoch that is over. */
  readonly #isLater = ({ number, epoch }: BlockCursor): boolean =>
    epoch > this.#epoch ? number > this.#start.durable : epoch === this.#epoch && number > this.#number

  /**
   * The number that is missed at `at`, where the next block that was found is not the next in number. An epoch may begin again with a number that an earlier one
   * has used. When its first blocks are missing, it has begun behind what was durable when the found one was written, or before.
   */
  #beginning(cursor: BlockCursor, at: number): number {
    if (cursor.epoch === this.#epoch) return this.#number
    const first = cursor.at === at ? cursor.number : Math.min(cursor.number, cursor.durable + 1)
    if (first >= this.#number) return this.#number
    this.#supersede(first)
    return first
  }

  /** A later epoch has begun again at `number`: what was written under it and behind it before is not the log. */
  #supersede(number: number): void {
    this.#drops = this.#drops.filter((drop) => drop.number < number)
    while (this.#gaps.length > 0 && this.#gaps[this.#gaps.length - 1].number >= number) this.#gaps.pop()
    while (this.#stretches.length > 0 && this.#stretches[this.#stretches.length - 1].firstNumber >= number) this.#stretches.pop()
    const last = this.#stretches.at(-1)
    if (last !== undefined && last.lastNumber >= number) cutBefore(last, number)
  }

  /** The last append is not whole: the log ends before it. */
  #cutUnended(): void {
    for (let last = this.#stretches.at(-1); last !== undefined; last = this.#stretches.at(-1)) {
      const cursor = new BlockCursor(last.segment.file)
      let at = last.lastAt
      while (at < last.to && cursor.read(at)) at += cursor.size
      if ((cursor.flags & BlockFlag.continued) === 0) return
      this.#tear(last.segment, last.lastAt, 'an append that was begun here was not ended')
      const { number } = firstOf(last.segment, last.lastAt)
      if (last.lastAt > last.from) {
        cutBefore(last, number)
        return
      }
      this.#stretches.pop()
    }
  }

  /** What was begun behind the last block may be in the segment that follows, if it was to be the first there. */
  #lookBehind(last: Stretch | undefined, segments: readonly Segment[]): void {
    for (const segment of segments) {
      if (last !== undefined && segment.id < last.segment.id) continue
      const at = segment.id === last?.segment.id ? last.to : last === undefined && segment.id === this.#start.segment ? this.#start.at : 0
      if (new BlockCursor(segment.file).isBlank(at)) continue
      this.#tear(segment, at, 'the write that was begun here was cut')
      return
    }
  }

  #tear(segment: Segment, at: number, message: string): void {
    this.#torn = { segment: segment.id, where: `${segment.name} offset ${at}`, message }
  }
}

/** Whether all segments between two were given back. */
function areDropped(dropped: ReadonlySet<number>, from: number, to: number): boolean {
  for (let id = from + 1; id < to; id++) if (!dropped.has(id)) return false
  return true
}

/** The segment before the missing ones. */
function previousIdOf({ segment, next }: Gap, start: ChainStart): number {
  return segment === next ? start.segment - 1 : segment.id
}

function damageOf({ segment, at, number, next }: Gap): LogDamage {
  if (next !== undefined)
    return {
      segment: next.id - 1,
      where: `before ${next.name}`,
      message: `a segment is missing, and what stood in it from block ${number} on`,
    }
  return { segment: segment.id, where: `${segment.name} offset ${at}`, message: `block ${number} is not what was written, or is not there` }
}

function firstOf(segment: Segment, at: number): BlockCursor {
  const cursor = new BlockCursor(segment.file)
  cursor.read(at)
  return cursor
}

/** The stretch ends before the block with this number. */
function cutBefore(stretch: Stretch, number: number): void {
  const cursor = new BlockCursor(stretch.segment.file)
  let lastAt = stretch.from
  let lastReadAt = -1
  let durable = 0
  let lastEpoch = 0
  let at = stretch.from
  while (at < stretch.to && cursor.read(at) && cursor.number < number) {
    if ((cursor.flags & BlockFlag.continuation) === 0) lastAt = at
    if ((cursor.flags & (BlockFlag.continuation | engineFlags)) === 0) lastReadAt = at
    if (cursor.durable > durable) durable = cursor.durable
    lastEpoch = cursor.epoch
    at += cursor.size
  }
  stretch.to = at
  stretch.lastAt = lastAt
  stretch.lastReadAt = lastReadAt
  if (lastReadAt < 0) stretch.firstReadAt = -1
  stretch.lastNumber = number - 1
  stretch.lastEpoch = lastEpoch
  stretch.durable = durable
}

/** Where in the stretch the first block with at least this number begins; its end if there is none. */
export function offsetOfNumber(stretch: Stretch, number: number): number {
  const cursor = new BlockCursor(stretch.segment.file)
  let at = stretch.from
  while (at < stretch.to && cursor.read(at) && cursor.number < number) at += cursor.size
  return at
}
