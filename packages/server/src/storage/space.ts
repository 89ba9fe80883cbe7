/**
 * How much disk the log takes: segments that nobody needs are given back, and what little is needed of others is moved out of them.
 *
 *     sealed     │ nothing needed │ ─▶ DROP, synced ─▶ given back
 *                │ · x · · · · ·  │ ─▶ x is written again ─▶ DROP, synced ─▶ given back
 *                │ xxxxxxx·xxxxxx │    stays
 *
 * It is looked at behind each snapshot, and twice a second, from what queues have and not from what was ever said: so nothing has to be counted as messages come and go.
 * A segment goes only when a saved snapshot says what follows from it, and when nobody reads in it.
 *
 * While messages come the log may take 3 times as much as is needed and 4 segments; soon after, twice as much and 2 segments: a message that nobody ever
 * acknowledges keeps its own bytes, and no others.
 */
import type { Broker } from '../broker/broker.js'
import type { LogSegment, Position, SegmentId } from '../ports/log.js'
import type { Logger } from '../ports/logger.js'
import { Copies } from './copies.js'
import { LiveRanges } from './live-ranges.js'
import type { LogJournal } from './log-journal.js'
import type { MovedIndex } from './moved-index.js'
import { Moving } from './moving.js'
import { measureLife, type SegmentLife } from './segment-life.js'

/** So many times what is needed may lie in segments that are not written to any more; the rest of what is allowed is for the others. */
const sparseWhileComing = 2.5
const sparseAtRest = 1.75
/** A segment is worth moving if no more than this of it is needed; if it was written by moving, also no more than this of what was needed then. */
const worthMoving = 0.6
const worthMovingAgain = 0.75
/** Looking at 10,000 ranges takes about a millisecond: it is done a hundredth of the time at most. */
const msPerRange = 0.01
const lookMsMax = 2_000
/** Between snapshots that are made to give space back. */
const snapshotMs = 2_000
const cheapSnapshotSize = 1024 * 1024
/** Copies that may be on their way to the disk. */
const copiesUnsyncedMax = 4 * 1024 * 1024

export interface SpaceOptions {
  readonly journal: LogJournal
  readonly broker: Broker
  readonly moved: MovedIndex
  readonly snapshots: { readonly through: Position; readonly size: number; ask(done: (error: Error | undefined) => void): void }
  /** Whether somebody is going to read there. */
  readonly isRead: (isThere: (position: Position) => boolean) => boolean
  readonly tell: Logger
  /** A turn should look. */
  readonly wake: () => void
}

interface Leaving {
  readonly segment: SegmentId
  /** The batch that says so. */
  readonly gate: number
  isForgotten: boolean
}

export class Space {
  /** About the bytes of records that queues have in the log, each message once: when it was looked last. */
  liveSize = 0
  /** How often it was looked. */
  lookCount = 0
  readonly #options: SpaceOptions
  readonly #copies: Copies
  #live: LiveRanges | undefined
  #leaving: Leaving[] = []
  #moving: Moving | undefined
  /** Of `copies`, when moving began. */
  #sizeBefore = 0
  /** Segments to be moved next. */
  #sparse: LogSegment[] = []
  /** Segments that could not be read whole: they stay. */
  readonly #damaged = new Set<SegmentId>()
  /** Of segments that were written by moving: how much of each was needed when it was looked at first. */
  readonly #neededFirst = new Map<SegmentId, number>()
  #nextLookAt = 0
  #nextSnapshotAt = 0
  #nextMessageId = 0
  #goneSize = 0
  /** Of the last snapshot when it was looked. */
  #through: Position = 0
  #isComing = false
  /** The segment that is written to. */
  #open: SegmentId = -1
  /** It has to be looked again, whatever happens. */
  #isUnfinished = true
  /** Of `copies`, when everything was synced last. */
  #syncedCopies = 0

  constructor(options: SpaceOptions) {
    this.#options = options
    this.#copies = new Copies(options.journal.log, options.moved)
  }

  /** In each turn, after the journal has written. */
  step(now: number): void {
    const { journal, snapshots } = this.#options
    if (journal.failed) {
      this.#giveUp()
      return
    }
    if (this.#moving !== undefined) this.#move(this.#moving)
    if (this.#leaving.length > 0) this.#finishLeaving()
    this.#cover()
    if (snapshots.through !== this.#through) this.#look(now)
  }

  /** A segment that is full waits for a snapshot before it can go: it gets one at once if that costs little. */
  #cover(): void {
    const { journal, snapshots } = this.#options
    const { log, lastPosition } = journal
    const segment = log.segmentOf(lastPosition)
    if (segment === this.#open) return
    const isFirst = this.#open < 0
    this.#open = segment
    if (!isFirst && snapshots.size <= cheapSnapshotSize) snapshots.ask(() => undefined)
  }

  /** Twice a second. */
  tick(now: number): void {
    const { broker } = this.#options
    const isComing = broker.nextMessageId !== this.#nextMessageId
    this.#nextMessageId = broker.nextMessageId
    // When nothing comes any more, less is allowed.
    if (this.#isComing && !isComing) this.#isUnfinished = true
    this.#isComing = isComing
    this.#look(now)
  }

  #look(now: number): void {
    const { journal, snapshots } = this.#options
    if (journal.failed || this.#moving !== undefined || now < this.#nextLookAt) return
    const sealed = journal.log.segments().slice(0, -1)
    if (sealed.length === 0 || !(this.#isUnfinished || this.#hasChanged(sealed))) return
    this.#through = snapshots.through
    this.#goneSize = journal.goneSize
    this.#isUnfinished = false
    this.#measure(now)
  }

  /** Whether so much has gone since it was looked last that there may be something to give back. */
  #hasChanged(sealed: readonly LogSegment[]): boolean {
    const { journal, snapshots } = this.#options
    const goneSize = journal.goneSize - this.#goneSize
    if (!this.#isComing || snapshots.through !== this.#through) return goneSize > 0
    return goneSize >= Math.max(sizeOf(sealed) / 8, largest(sealed) / 2)
  }

  #measure(now: number): void {
    const { journal, broker, moved, snapshots } = this.#options
    const { log, index } = journal
    const segments = log.segments()
    const live = new LiveRanges(keptRuns(broker))
    const lives = measureLife(segments, live, { index, moved, segmentOf: (position) => log.segmentOf(position) })
    this.lookCount++
    this.liveSize = live.size
    this.#nextLookAt = now + Math.min(lookMsMax, live.count * msPerRange)
    const leaving = new Set(this.#leaving.map(({ segment }) => segment))
    const sealed = lives.slice(0, -1).filter(({ segment }) => !leaving.has(segment.id) && !this.#damaged.has(segment.id))
    const dead = sealed.filter(({ isNeeded }) => !isNeeded)
    const sparse = this.#worthMoving(sealed)
    const isCovered = ({ segment }: SegmentLife) => segment.last <= snapshots.through
    for (const life of dead) if (isCovered(life)) this.#leave(life.segment.id)
    this.#sparse = sparse.filter(isCovered).map(({ segment }) => segment)
    this.#live = this.#sparse.length > 0 ? live : undefined
    this.#moveNext()
    if (dead.every(isCovered) && sparse.every(isCovered)) return
    this.#isUnfinished = true
    if (now < this.#nextSnapshotAt) return
    this.#nextSnapshotAt = now + snapshotMs
    snapshots.ask(() => undefined)
  }

  /** The sparsest segments, as many as have to go. */
  #worthMoving(sealed: readonly SegmentLife[]): SegmentLife[] {
    for (const { segment, liveSize, isFirstHome } of sealed) {
      if (!isFirstHome && !this.#neededFirst.has(segment.id)) this.#neededFirst.set(segment.id, liveSize / segment.size)
    }
    let size = sizeOf(sealed.filter(({ isNeeded }) => isNeeded).map(({ segment }) => segment))
    const sizeMax = this.#sizeMax(sealed.map(({ segment }) => segment))
    const chosen: SegmentLife[] = []
    const needed = ({ segment, liveSize }: SegmentLife) => liveSize / segment.size
    for (const life of sealed.filter(({ isNeeded }) => isNeeded).sort((a, b) => needed(a) - needed(b))) {
      if (size <= sizeMax || needed(life) > worthMoving) break
      const { segment, liveSize } = life
      if (needed(life) > worthMovingAgain * (this.#neededFirst.get(segment.id) ?? Infinity)) continue
      chosen.push(life)
      size -= segment.size - liveSize
    }
    return chosen
  }

  /** How many bytes segments may take that are not written to any more. */
  #sizeMax(sealed: readonly LogSegment[]): number {
    const segmentSize = largest(sealed)
    if (this.#isComing) return sparseWhileComing * this.liveSize + segmentSize
    // Snapshots take their part too.
    const others = this.#options.journal.log.space().used - sizeOf(sealed)
    return Math.min(sparseAtRest * this.liveSize, 2 * this.liveSize + 2 * segmentSize - others)
  }

  // ─── moving ─────────────────────────────────────────────────────────────

  #moveNext(): void {
    const { journal, broker, wake } = this.#options
    const segment = this.#sparse.shift()
    if (segment === undefined || this.#live === undefined) {
      this.#live = undefined
      return
    }
    this.#sizeBefore = this.#copies.size
    const queues = new Set<number>()
    for (const { id } of broker.keptQueues()) queues.add(id)
    this.#moving = new Moving({
      log: journal.log,
      copies: this.#copies,
      segment: segment.id,
      first: segment.first,
      live: this.#live.union(),
      hasQueue: (number) => queues.has(number),
      wake,
    })
  }

  #move(moving: Moving): void {
    const { journal, tell } = this.#options
    const copies = this.#copies
    if (journal.log.progress().synced >= copies.position) this.#syncedCopies = copies.size
    if (copies.size - this.#syncedCopies > copiesUnsyncedMax) return
    moving.step()
    if (!moving.isDone) return
    this.#moving = undefined
    const { segment } = moving
    if (moving.damage === undefined) {
      tell('debug', 'segment-moved', { segment, size: copies.size - this.#sizeBefore })
      this.#leave(segment)
    } else {
      this.#damaged.add(segment)
      tell('error', 'data-damaged', { segment, reason: moving.damage })
    }
    this.#isUnfinished = true
    this.#moveNext()
  }

  // ─── giving back ────────────────────────────────────────────────────────

  /** It is said that the segment goes; it does when that is synced, and with it all that was written before. */
  #leave(segment: SegmentId): void {
    const { journal, wake } = this.#options
    journal.dropped(segment)
    this.#leaving.push({ segment, gate: journal.batch, isForgotten: false })
    wake()
  }

  #finishLeaving(): void {
    const { journal, moved, isRead, tell } = this.#options
    const { log, index } = journal
    const staying: Leaving[] = []
    for (const leaving of this.#leaving) {
      const { segment, gate } = leaving
      if (gate <= journal.synced) {
        const isThere = (position: Position) => log.segmentOf(position) === segment
        // Whoever looks for a message from now on does not look here.
        if (!leaving.isForgotten) {
          index.forget(isThere)
          moved.forget(isThere)
          leaving.isForgotten = true
        }
        if (!isRead(isThere)) {
          log.drop(segment)
          journal.leaving.delete(segment)
          this.#neededFirst.delete(segment)
          tell('debug', 'segment-dropped', { segment })
          continue
        }
      }
      staying.push(leaving)
    }
    this.#leaving = staying
  }

  /** The log has failed: what is not synced is lost, copies and what was said of segments alike. */
  #giveUp(): void {
    if (this.#moving === undefined && this.#leaving.length === 0) return
    this.#moving = undefined
    this.#sparse = []
    this.#live = undefined
    this.#leaving = this.#leaving.filter(({ isForgotten }) => isForgotten)
    this.#options.journal.leaving.clear()
    for (const { segment } of this.#leaving) this.#options.journal.leaving.add(segment)
    this.#isUnfinished = true
  }
}

function* keptRuns(broker: Broker) {
  for (const { runs } of broker.keptQueues()) yield* runs
}

function sizeOf(segments: readonly LogSegment[]): number {
  let sum = 0
  for (const { size } of segments) sum += size
  return sum
}

function largest(segments: readonly LogSegment[]): number {
  let max = 0
  for (const { size } of segments) max = Math.max(max, size)
  return max
}
