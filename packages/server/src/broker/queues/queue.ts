// Hot: enqueue, dispatch, settle.
/**
 * One queue: a lane of messages, the consumers that take from it, and what becomes of each delivery.
 *
 *     push ─▶ ready ─▶ unsettled ─▶ ack ─▶ gone                 every message is in one place at a time:
 *              ▲  ▲       │ │ └───▶ reject ─▶ gone, counted       ready + unsettled + delayed = live
 *              │  └requeue┘ └─retry─▶ delayed ┐
 *              └──────────────────────────────┘
 *
 * A queue does not know exchanges, and it calls nobody but the receivers of its consumers. Its times are told to it.
 */
import assert from 'node:assert'
import { Outcome } from '@waybill/protocol'
import type { KeptRun } from '../durable.js'
import type { Journal } from '../journal.js'
import type { Slabs } from '../store/slabs.js'
import type { Timed } from '../timers/timed.js'
import { type Consumer, type DeliverySource, runSizeMax } from './consumer.js'
import type { ColdPage } from './cold-page.js'
import { ConsumerRing } from './consumer-ring.js'
import { isCold, Lane } from './lane.js'
import { Meta, type Page, type PagePool, pageSize } from './page.js'
import { QueueCounters } from './queue-counters.js'
import { eachPersistent, placeFrom, releaseAll, type VisitMessage } from './walks.js'

/** How many messages a consumer among several gets at a time, at most: enough to share the cost of a frame. */
const shareMax = 64

export interface QueueOptions {
  readonly durable: boolean
  readonly exclusive: boolean
  readonly autoDelete: boolean
  readonly expiresMs: number | undefined
}

/** What the queue asks of the broker that it lives in. */
export interface QueueHome {
  /** The time of this turn, monotonic ms. */
  readonly now: number
  readonly slabs: Slabs
  readonly pages: PagePool
  readonly journal: Journal
  /** Something is ready that somebody may be able to take: dispatch in this turn. */
  dirty(queue: Queue): void
  /** Call `due(place)` after this many milliseconds. */
  retryIn(queue: Queue, place: number, delayMs: number): void
  /** The back-off after so many failures, in milliseconds. */
  backoffMs(failureCount: number): number
  /** Its next messages lie in the log: `coldAhead` says where; `warm` brings them. Said again while they are wanted. */
  wanted(queue: Queue): void
  /** The last consumer has gone. */
  abandoned(queue: Queue): void
  /** `expiresMs` has run since it was last known to be used. */
  expiryDue(queue: Queue, now: number): void
}

export class Queue implements Timed, DeliverySource {
  /** The timer value of `expiresMs`; a retry has its place instead. */
  static readonly expiry = -1

  readonly name: string
  /** Name of the virtual host that it is in. */
  readonly virtualHost: string
  readonly options: QueueOptions
  /** The connection that an exclusive queue belongs to, else 0. */
  readonly owner: number
  /** Its number in the journal; 0: its messages are not kept. */
  readonly keptId: number
  readonly consumers = new ConsumerRing()
  /** Of `consumers`, those that are not a GET. */
  consumerCount = 0
  readonly counters = new QueueCounters()
  unsettledCount = 0
  unsettledSize = 0
  delayedCount = 0
  isDirty = false
  /** Pages of it are being read. */
  isReading = false
  deleted = false
  /** The walk that last came here: see routing/walk.ts. */
  walk = 0
  /** When it last had a consumer, a GET or a declare, for `expiresMs`. */
  usedAt = 0
  readonly #home: QueueHome
  readonly #slabs: Slabs
  readonly #lane: Lane
  /** Pages up to this number were read because they are needed soon. */
  #warmedPage = -1

  constructor(name: string, options: QueueOptions, owner: number, virtualHost: string, keptId: number, home: QueueHome) {
    this.name = name
    this.virtualHost = virtualHost
    this.options = options
    this.owner = owner
    this.keptId = keptId
    this.#home = home
    this.#slabs = home.slabs
    this.#lane = new Lane(home.pages)
  }

  get readyCount(): number {
    return this.#lane.readyCount
  }

  get liveCount(): number {
    return this.#lane.liveCount
  }

  /** Bytes of records that are ready. */
  get readySize(): number {
    return this.#lane.readySize
  }

  /** Bytes of records, ready or away. */
  get liveSize(): number {
    return this.#lane.liveSize
  }

  /** Adds stored records that lie side by side, `size` bytes in all: see Lane. */
  push(slab: number, offset: number, sizes: Uint32Array, from: number, count: number, size: number, id: number, persistent: boolean): void {
    this.#slabs.retain(slab, size)
    const meta = persistent ? Meta.persistent : 0
    if (count === 1) this.#lane.push(slab, offset, size, id, meta)
    else this.#lane.pushRun(slab, offset, sizes, from, count, id, meta)
    this.counters.published += count
    if (!this.isDirty && this.consumers.size > 0) this.#home.dirty(this)
  }

  /** Takes over what the log has for it. */
  restore(runs: readonly KeptRun[]): void {
    for (const run of runs) {
      this.#lane.restore(run)
      this.counters.restored += run.count
    }
  }

  addConsumer(consumer: Consumer): void {
    this.consumers.add(consumer)
    if (!consumer.once) this.consumerCount++
    if (this.readyCount > 0) this.#home.dirty(this)
  }

  /** Takes a consumer off; what it holds stays unsettled until it is settled or given back. */
  removeConsumer(consumer: Consumer): void {
    consumer.ended = true
    if (!this.consumers.remove(consumer)) return
    this.usedAt = this.#home.now
    if (!consumer.once && --this.consumerCount === 0) this.#home.abandoned(this)
  }

  /** Credit has come back, or a window has grown. */
  wake(): void {
    if (!this.isDirty && this.#lane.readyCount > 0 && !this.deleted) this.#home.dirty(this)
  }

  /** Hands out what is ready to whoever has credit. */
  dispatch(): void {
    const lane = this.#lane
    while (lane.readyCount > 0) {
      let place = lane.firstReady()
      if (place === isCold) break
      const consumer = this.consumers.next(lane.found!.words[(lane.foundIndex << 2) + 2])
      if (consumer === undefined) break
      const { size: among } = this.consumers
      let share = among === 1 ? lane.readyCount : Math.min(shareMax, Math.max(1, Math.floor(lane.readyCount / (2 * among))))
      // Somebody of higher priority may have room for the next, if it is smaller.
      if (consumer.once || consumer.priority < this.consumers.highestPriority) share = 1
      for (;;) {
        share -= this.#deliverRun(consumer, place, share)
        if (share <= 0) break
        place = lane.firstReady()
        if (place === isCold || !consumer.canTake(lane.found!.words[(lane.foundIndex << 2) + 2])) break
      }
      if (consumer.once) {
        this.removeConsumer(consumer)
        consumer.receiver.got(consumer, true)
      }
    }
    if (lane.coldCount > 0 && !this.isReading && this.consumers.someIsActive()) this.#home.wanted(this)
  }

  /** Settles a delivery with one of `Outcome`. `delayMs` below 0 means the back-off. */
  settle(place: number, outcome: number, delayMs: number): void {
    if (this.deleted) return
    const lane = this.#lane
    const words = lane.page(place)!.words
    const at = (place & (pageSize - 1)) << 2
    assert((words[at + 3]! & Meta.unsettled) !== 0)
    this.unsettledCount--
    this.unsettledSize -= words[at + 2]
    words[at + 3]! &= ~Meta.unsettled
    switch (outcome) {
      case Outcome.ack:
        this.counters.acked++
        this.#remove(place)
        return
      case Outcome.reject:
        this.counters.rejected++
        this.#remove(place)
        return
      case Outcome.requeue:
        this.counters.requeued++
        lane.putBack(place)
        this.wake()
        return
      default: {
        this.counters.retried++
        const meta = words[at + 3]!
        const failureCount = Math.min(Meta.countMax, ((meta >>> Meta.failureShift) & Meta.countMax) + 1)
        words[at + 3] = (meta & ~(Meta.countMax << Meta.failureShift)) | (failureCount << Meta.failureShift) | Meta.delayed
        this.delayedCount++
        this.#home.retryIn(this, place, delayMs < 0 ? this.#home.backoffMs(failureCount) : delayMs)
      }
    }
  }

  due(value: number, now: number): void {
    if (value === Queue.expiry) this.#home.expiryDue(this, now)
    else this.#retryDue(value)
  }

  /** The time of a retry has come. The message may have been purged, or the queue deleted, meanwhile. */
  #retryDue(place: number): void {
    if (this.deleted || !this.#lane.has(place)) return
    const words = this.#lane.page(place)!.words
    const at = (place & (pageSize - 1)) << 2
    if ((words[at + 3]! & Meta.delayed) === 0) return
    words[at + 3]! &= ~Meta.delayed
    this.delayedCount--
    this.#lane.putBack(place)
    this.wake()
  }

  /** Drops what is ready or waits for its retry; returns how many. What is unsettled stays. */
  purge(): number {
    let count = 0
    let cold = this.#lane.nextCold(0)
    for (let place = this.#lane.seek(0); place >= 0; place = this.#lane.seek(place + 1)) {
      for (; cold !== undefined && cold.pageNumber * pageSize < place; cold = this.#lane.nextCold(cold.pageNumber))
        count += this.#purgeCold(cold)
      const words = this.#lane.page(place)!.words
      const at = (place & (pageSize - 1)) << 2
      const meta = words[at + 3]!
      if ((meta & Meta.unsettled) !== 0) continue
      if ((meta & Meta.delayed) !== 0) this.delayedCount--
      else this.#lane.take(place)
      this.#remove(place)
      count++
    }
    for (; cold !== undefined; cold = this.#lane.nextCold(cold.pageNumber)) count += this.#purgeCold(cold)
    this.counters.purged += count
    return count
  }

  /** Ends the queue: its consumers are told, its messages are released. Returns how many messages were ready. */
  delete(): number {
    const readyCount = this.readyCount
    for (const consumer of [...this.consumers]) {
      consumer.ended = true
      if (consumer.once) consumer.receiver.got(consumer, false)
      else consumer.receiver.ended(consumer, 'queue-deleted')
    }
    releaseAll(this.#lane, this.#slabs)
    this.deleted = true
    return readyCount
  }

  // ─── cold pages ─────────────────────────────────────────────────────────

  get coldCount(): number {
    return this.#lane.coldCount
  }

  /** What the log keeps of it, in order. */
  keptRuns(): Iterable<KeptRun> {
    return this.keptId === 0 ? [] : this.#lane.keptRuns()
  }

  /** The cold pages that its consumers will need next: see Lane. */
  coldAhead(sizeMax: number, into: ColdPage[]): void {
    this.#lane.coldAhead(sizeMax, into)
  }

  /** Whether its consumers, if they can take anything, have to wait for a cold page. */
  get isWaitingForPage(): boolean {
    return this.#lane.firstReady() === isCold && this.consumers.someCanTake(1)
  }

  pageForCold(cold: ColdPage): Page {
    return this.#lane.pageForCold(cold)
  }

  giveBack(page: Page): void {
    this.#lane.giveBack(page)
  }

  /** A cold page has been read: see Lane. Its records are retained. Returns how many are missing. */
  warm(cold: ColdPage, page: Page, count: number, size: number): number {
    const missing = this.#lane.warm(cold, page, count, size)
    this.counters.lost += missing
    this.#warmedPage = cold.pageNumber
    if (!this.isDirty && this.consumers.size > 0) this.#home.dirty(this)
    return missing
  }

  /** Ends the page that is being filled, so that it can go too, if it holds `sizeMin` bytes, about. */
  endPage(sizeMin = 0): void {
    this.#lane.endPage(sizeMin)
  }

  /**
   * Lets pages go that can be read again, the last ones first, at most `countMax`; about `looksMax` are looked at. Returns how many went. Of a queue that
   * is consumed, the page that comes next stays, and about `nearSize` bytes behind it; and unless that is 0, what was read because it is wanted soon.
   */
  chill(countMax: number, looksMax: number, nearSize: number): number {
    if (this.keptId === 0 || this.deleted) return 0
    const lane = this.#lane
    const from = this.consumers.size === 0 ? 0 : Math.max(lane.pageBehind(nearSize), nearSize > 0 ? this.#warmedPage + 1 : 0)
    return lane.chill(from, countMax, looksMax, this.#home.journal.syncedId, this.#slabs)
  }

  // ─── a log that has failed ──────────────────────────────────────────────

  /** Takes back those of `count` consecutive messages that nobody has been given: their publisher is told that they were refused. */
  withdraw(firstId: number, count: number): void {
    const lane = this.#lane
    for (let place = placeFrom(lane, firstId); place >= 0; place = lane.seek(place + 1)) {
      const page = lane.page(place)!
      const index = place & (pageSize - 1)
      if (page.ids[index] >= firstId + count) return
      if ((page.words[(index << 2) + 3] & (Meta.unsettled | Meta.delayed | Meta.redelivered)) !== 0) continue
      lane.take(place)
      this.#remove(place)
      this.counters.published--
      // What stood behind it may fit where it did not.
      if (!this.isDirty && this.consumers.size > 0) this.#home.dirty(this)
    }
  }

  /** Calls `visit` for each persistent message from `fromId` on that is in memory: those that are not synced are. */
  eachPersistent(fromId: number, visit: VisitMessage): void {
    eachPersistent(this.#lane, fromId, visit)
  }

  /** The first place at or behind `from` that holds a message, or -1. */
  seek(from: number): number {
    return this.#lane.seek(from)
  }

  /** The page of a place that `seek` has found. */
  page(place: number): Page {
    return this.#lane.page(place)!
  }

  invariants(): void {
    this.#lane.invariants()
    let unsettled = 0
    for (const consumer of this.consumers) {
      consumer.invariants()
      if (consumer.ack === 'manual') unsettled += consumer.unsettledCount
    }
    assert(unsettled <= this.unsettledCount, 'a consumer holds no more than the queue has given')
    assert.equal(this.readyCount + this.unsettledCount + this.delayedCount, this.#lane.liveCount)
    const place = this.isDirty ? -1 : this.#lane.firstReady()
    if (place === isCold) assert(this.isReading || !this.consumers.someCanTake(1), 'somebody waits for a page that nobody reads')
    if (place >= 0) {
      const size = this.#lane.page(place)!.words[((place & (pageSize - 1)) << 2) + 2]!
      for (const consumer of this.consumers) assert(!consumer.canTake(size), 'nobody waits while something is ready')
    }
  }

  #purgeCold(cold: ColdPage): number {
    this.#home.journal.gone(this.keptId, cold.pageNumber * pageSize, cold.count, cold.firstId, cold.lastId, cold.size)
    this.#lane.forget(cold, this.#slabs)
    return cold.messageCount
  }

  /** A message that is away is gone for good: its bytes, its place, and what is kept of it. */
  #remove(place: number): void {
    const page = this.#lane.page(place)!
    const index = place & (pageSize - 1)
    const at = index << 2
    const size = page.words[at + 2]
    if (this.keptId !== 0 && (page.words[at + 3] & Meta.persistent) !== 0) {
      const id = page.ids[index]
      this.#home.journal.gone(this.keptId, place, 1, id, id, size)
    }
    this.#slabs.release(page.words[at], size)
    this.#lane.remove(place)
  }

  /**
   * Delivers the place that the lane has found, for which the consumer has credit, and of those behind it as many as make a run with it, have credit and
   * are in the share. Returns how many.
   */
  #deliverRun(consumer: Consumer, place: number, share: number): number {
    const lane = this.#lane
    const page = lane.found!
    const { words, ids, ready } = page
    const first = lane.foundIndex
    let at = first << 2
    const slab = words[at]
    const offset = words[at + 1]
    const meta = words[at + 3]
    const id = ids[first]
    let size = words[at + 2]

    const countMax = Math.min(share, consumer.prefetch - consumer.unsettledCount, ids.length - first, page.readyCount)
    const sizeMax = Math.min(runSizeMax, consumer.prefetchSize - consumer.unsettledSize)
    let count = 1
    for (let index = first + 1; count < countMax; index++) {
      at += 4
      if (((ready[index >> 5] >>> (index & 31)) & 1) === 0 || words[at] !== slab || words[at + 1] !== offset + size) break
      if (ids[index] !== id + count || words[at + 3] !== meta || size + words[at + 2] > sizeMax) break
      size += words[at + 2]
      count++
    }

    lane.takeFound(count, size)
    consumer.unsettledCount += count
    consumer.unsettledSize += size
    consumer.deliveredCount += count
    this.counters.delivered += count
    const delivered = (meta & Meta.countMax) < Meta.countMax ? meta + 1 : meta
    consumer.receiver.deliver(consumer, place, count, page, first, slab, offset, size, id, delivered)
    if (consumer.ack === 'none') {
      if (this.keptId !== 0 && (meta & Meta.persistent) !== 0) {
        this.#home.journal.gone(this.keptId, place, count, id, id + count - 1, size)
      }
      this.#slabs.release(slab, size)
      lane.removeRun(place, count, size)
    } else {
      const away = delivered | Meta.unsettled | Meta.redelivered
      for (let i = (first << 2) + 3, end = i + count * 4; i < end; i += 4) words[i] = away
      this.unsettledCount += count
      this.unsettledSize += size
    }
    return count
  }
}
