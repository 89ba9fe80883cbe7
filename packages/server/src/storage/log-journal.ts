// Hot: what a turn has said becomes blocks here.
/**
 * The journal on a log: what the core says in a turn is gathered, and written at its end as one block or a few, in the order
 *
 *     IDS ─▶ TOPOLOGY ─▶ ROUTE, RUN … ─▶ GONE ─▶ DROP  so that a queue is there before its messages, and a message before its end
 *
 * A turn is a *batch*. Who has to wait for the disk waits for its batch: `gate` says which, `synced` how far the disk is. There is no timer and no
 * promise: what arrives while a sync is under way goes with the next one.
 *
 *     well ── the log fails ─▶ failed: what is said is dropped, its batches are lost ── mend ─▶ held: it is gathered ── healed ─▶ well
 *                                 ▲                                                              │
 *                                 └────────────────────── the log fails again ───────────────────┘
 */
import { writeU32, writeU64 } from '@waybill/protocol'
import type { Journal, KeptRoute, TopologyChange } from '../broker/journal.js'
import type { Slabs } from '../broker/store/slabs.js'
import type { Log, Position, SegmentId } from '../ports/log.js'
import { BlockBuilder } from './block-builder.js'
import {
  EntryKind,
  entryHeaderSize,
  goneHeaderSize,
  goneRangeSize,
  runHeaderSize,
  writeEntryHeader,
  writeGoneHeader,
  writeGoneRange,
  writeRunHeader,
} from './entries.js'
import { Gathering } from './gathering.js'
import type { IdIndex } from './id-index.js'

/** A block is ended when it is as large: so much is read to find one message. */
const blockSize = 256 * 1024
/** Message ids are reserved in the log so many at a time, before half of the last reserve is used up: after a crash nothing is named twice. */
export const idReserve = 2 ** 24

export interface LogJournalOptions {
  readonly log: Log
  readonly slabs: Slabs
  /** Ids below it have not all been used; those from it on have not. */
  readonly nextMessageId: () => number
  /** Where the log's messages lie, from before. */
  readonly index: IdIndex
}

export class LogJournal implements Journal {
  readonly keeps = true
  synced = 0
  lost = 0
  #lostSeen = 0
  /** The batch that is being gathered. */
  batch = 1
  readonly log: Log
  readonly index: IdIndex
  /** When the log has failed: every block behind it is lost. */
  lostFrom: Position = 0
  /** Segments that are going to be given back: it has been said, or will be with this batch. */
  readonly leaving = new Set<SegmentId>()
  /** Bytes of records that queues have let go since the start. */
  goneSize = 0
  /** Bytes appended since the start. */
  appendedSize = 0
  readonly #slabs: Slabs
  readonly #nextMessageId: () => number
  readonly #gathering: Gathering
  readonly #builder = new BlockBuilder()
  #changes: TopologyChange[] = []
  #dropped: SegmentId[] = []
  #reservedId = 0
  #needsSync = false
  /** Of the last block. */
  lastPosition: Position = 0
  /** Batches that have been written and are not synced: their numbers, positions, and sizes. */
  readonly #pending: { readonly batch: number; readonly position: Position; readonly size: number; readonly firstId: number }[] = []
  /** Bytes that have been written and are not synced. */
  unsyncedSize = 0
  /** Of the block being built. */
  #routes: KeptRoute[] = []
  readonly #routeIndex = new Map<KeptRoute, number>()
  #blockFirstId = 0
  #blockRecords = 0
  #state: 'well' | 'failed' | 'held' = 'well'
  /** While not well: every kept message with an id below it is synced. */
  #lostId = 0

  constructor({ log, slabs, nextMessageId, index }: LogJournalOptions) {
    this.log = log
    this.index = index
    this.#slabs = slabs
    this.#nextMessageId = nextMessageId
    this.#gathering = new Gathering(slabs)
  }

  get failed(): boolean {
    return this.#state !== 'well'
  }

  get gate(): number {
    if (this.#pending.length === 0 && !this.hasWork && this.#state === 'well') return 0
    this.#needsSync = true
    return this.batch
  }

  get syncedId(): number {
    if (this.#state !== 'well') return this.#lostId
    if (this.#pending.length > 0) return this.#pending[0].firstId
    return this.#gathering.runCount > 0 ? this.#gathering.runIds[0] : this.#nextMessageId()
  }

  /** Message ids below it may have been given out, or may yet be without a word of it in the log. */
  get reservedId(): number {
    return Math.max(this.#reservedId, this.#nextMessageId())
  }

  get hasWork(): boolean {
    return !this.#gathering.isEmpty || this.#changes.length > 0 || this.#needsSync
  }

  messages(route: KeptRoute, slab: number, offset: number, size: number, firstId: number, count: number): void {
    this.#needsSync = true
    this.#gathering.messages(route, slab, offset, size, firstId, count)
  }

  gone(queue: number, place: number, count: number, firstId: number, lastId: number, size: number): void {
    this.goneSize += size
    this.#gathering.gone(queue, place, count, firstId, lastId, size)
  }

  changed(change: TopologyChange): void {
    this.#needsSync = true
    // Nobody says of each message that it goes with its queue: it may have been much.
    if (change.op === 'deleteQueue') this.goneSize += 2 ** 36
    this.#changes.push(change)
  }

  /** A segment is needed no longer. */
  dropped(segment: SegmentId): void {
    this.#needsSync = true
    this.leaving.add(segment)
    this.#dropped.push(segment)
  }

  together(isBegun: boolean): void {
    this.#gathering.together(isBegun)
  }

  /** Reads how far the log is. True: more is synced than before, or will never be. */
  progressed(): boolean {
    const { synced, failed } = this.log.progress()
    const before = this.synced
    let done = 0
    for (; done < this.#pending.length && this.#pending[done].position <= synced; done++) {
      this.synced = this.#pending[done].batch
      this.unsyncedSize -= this.#pending[done].size
    }
    if (done > 0) this.#pending.splice(0, done)
    if (failed !== undefined && this.#state !== 'failed') this.#fail()
    const hasLost = this.lost !== this.#lostSeen
    this.#lostSeen = this.lost
    return this.synced !== before || hasLost
  }

  /** The log works again, and has nothing of what was lost: what is said from now on waits until that has been made up for. */
  mend(): void {
    this.#state = 'held'
    this.index.forget((position) => position > this.lostFrom)
    // The snapshot that makes up for it reserves ids as a block would: some are given out before there is another block.
    this.#reservedId = this.#nextMessageId() + idReserve
  }

  /** What was to be made up for could not be: it is as if the log had failed again. */
  cut(): void {
    this.#fail()
  }

  /** The log has everything again. */
  healed(): void {
    this.#state = 'well'
  }

  #fail(): void {
    if (this.#state === 'well') this.#lostId = this.syncedId
    this.lostFrom = this.log.progress().synced
    this.#state = 'failed'
    this.#pending.length = 0
    this.unsyncedSize = 0
    this.lost = this.batch - 1
  }

  write(): void {
    if (this.#state === 'held') return
    if (this.#state === 'failed') {
      this.#lose()
      return
    }
    const next = this.#nextMessageId()
    if (next + idReserve / 2 > this.#reservedId) this.#reserveIds(next)
    if (!this.hasWork && this.#builder.isEmpty) return
    const sizeBefore = this.appendedSize
    const firstId = this.#gathering.runCount > 0 ? this.#gathering.runIds[0] : next
    for (const change of this.#changes) this.#writeChange(change)
    this.#changes = []
    this.#writeRuns()
    this.#writeRanges()
    this.#writeDropped()
    this.#append(this.#needsSync ? 'sync' : 'lazy')
    this.#gathering.clear()
    const size = this.appendedSize - sizeBefore
    this.unsyncedSize += size
    // A failed log says where its last block lies, which may well be synced; this one is not there.
    const hasFailed = this.log.progress().failed !== undefined
    this.#pending.push({ batch: this.batch, position: hasFailed ? Infinity : this.lastPosition, size, firstId })
    this.batch++
    this.#needsSync = false
    // At once: whoever is told that something is written would be told what is not so.
    if (hasFailed) this.#fail()
  }

  /** What has been said is not kept. */
  #lose(): void {
    if (!this.hasWork) return
    this.#gathering.clear()
    this.#changes = []
    this.#dropped = []
    this.#needsSync = false
    this.lost = this.batch++
  }

  #writeChange(change: TopologyChange): void {
    const bytes = Buffer.from(JSON.stringify(change))
    const at = this.#builder.reserve(entryHeaderSize + bytes.length)
    const { buffer } = this.#builder
    bytes.copy(buffer, writeEntryHeader(buffer, at, EntryKind.topology, 0, bytes.length))
  }

  #reserveIds(next: number): void {
    this.#reservedId = next + idReserve
    this.#needsSync = true
    const at = this.#builder.reserve(entryHeaderSize + 8)
    const { buffer } = this.#builder
    writeU64(buffer, writeEntryHeader(buffer, at, EntryKind.ids, 0, 8), this.#reservedId)
  }

  #writeRuns(): void {
    const { runCount, runSlabs, runOffsets, runSizes, runIds, runCounts, runGlued, runRoutes } = this.#gathering
    for (let i = 0; i < runCount; i++) {
      if (this.#builder.size >= blockSize && runGlued[i] === 0) this.#append('lazy')
      const route = this.#routeOf(runRoutes[i])
      const size = runSizes[i]
      const at = this.#builder.reserve(entryHeaderSize + runHeaderSize)
      writeRunHeader(this.#builder.buffer, at, 0, runIds[i], route, runCounts[i], size)
      const offset = runOffsets[i]
      this.#builder.range(this.#slabs.buffer(runSlabs[i]), offset, offset + size)
      if (this.#blockRecords === 0) this.#blockFirstId = runIds[i]
      this.#blockRecords += size
    }
  }

  /** The number of a route in this block; told when it is new. */
  #routeOf(route: KeptRoute): number {
    const last = this.#routes.length - 1
    if (last >= 0 && this.#routes[last] === route) return last
    const known = this.#routeIndex.get(route)
    if (known !== undefined) return known
    const index = this.#routes.push(route) - 1
    this.#routeIndex.set(route, index)
    const { kept } = route
    const at = this.#builder.reserve(entryHeaderSize + kept.length * 4)
    const { buffer } = this.#builder
    let to = writeEntryHeader(buffer, at, EntryKind.route, 0, kept.length * 4)
    for (let i = 0; i < kept.length; i++, to += 4) writeU32(buffer, to, kept[i].keptId)
    return index
  }

  #writeRanges(): void {
    const { rangeCount, rangeQueues, rangeFirsts, rangeLasts, rangeCounts, rangeSizes } = this.#gathering
    for (let i = 0; i < rangeCount; ) {
      if (this.#builder.size >= blockSize) this.#append('lazy')
      const queue = rangeQueues[i]
      let end = i + 1
      while (end < rangeCount && end - i < 1_024 && rangeQueues[end] === queue) end++
      let at = this.#builder.reserve(entryHeaderSize + goneHeaderSize + (end - i) * goneRangeSize)
      const { buffer } = this.#builder
      at = writeGoneHeader(buffer, at, queue, end - i)
      for (; i < end; i++) at = writeGoneRange(buffer, at, rangeFirsts[i], rangeLasts[i], rangeCounts[i], rangeSizes[i])
    }
  }

  #writeDropped(): void {
    for (const segment of this.#dropped) {
      const at = this.#builder.reserve(entryHeaderSize + 4)
      const { buffer } = this.#builder
      writeU32(buffer, writeEntryHeader(buffer, at, EntryKind.drop, 0, 4), segment)
    }
    this.#dropped = []
  }

  /** The sync is asked for with the last block of a turn: one that began before would not cover it, and its batch would wait for another. */
  #append(need: 'sync' | 'lazy'): void {
    const builder = this.#builder
    builder.end()
    this.lastPosition = this.log.append(builder.parts, need)
    this.appendedSize += builder.size
    if (this.#blockRecords > 0) {
      this.index.add(this.#blockFirstId, this.lastPosition, this.#blockRecords, this.log.segmentOf(this.lastPosition))
      this.#blockRecords = 0
    }
    builder.clear()
    this.#routes = []
    this.#routeIndex.clear()
  }
}
