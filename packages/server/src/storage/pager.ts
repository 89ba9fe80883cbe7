/**
 * Brings cold pages back: reads the log for all queues that wait, in one sweep.
 *
 *     log      ├──────────────────────────────────────────────────┤
 *     reads      a: next ▲      b: next ▲     c: next ▲                  like a lift: onwards to the next that somebody wants, then from the start again
 *     sweep                  ──▶ piece ──▶
 *
 * A piece that was read serves every queue whose next position lies in it, so that queues whose messages lie among one another do not each read the same.
 * Pages are filled in a turn, before messages are handed out; of queues that are consumed, pages to come are read before they are wanted, as long as
 * there is memory. Who waits for its next message gets one page whatever there is.
 */
import type { Broker, Pager as PagerPort } from '../broker/broker.js'
import type { ColdPage } from '../broker/queues/cold-page.js'
import type { Queue } from '../broker/queues/queue.js'
import { Evictor } from '../broker/store/evictor.js'
import type { Log, LogReading, Position } from '../ports/log.js'
import type { Logger } from '../ports/logger.js'
import { EntryProblem, type EntrySink, readEntries, routeQueue, routeQueueCount } from './entries.js'
import type { IdIndex } from './id-index.js'
import type { MovedIndex } from './moved-index.js'
import { QueueRead } from './queue-read.js'
import { RunCursor } from './run-cursor.js'

/** Bytes that are read before they are wanted, for a queue: so many, or a share of the memory. */
const aheadSizeMax = 4 * 1024 * 1024
const aheadShare = 1 / 8
/** Places of damage that are told; whose messages are missing is told always. */
const toldMax = 1_000
const readSizeMin = 64 * 1024
const readSizeMax = 1024 * 1024

export interface PagerOptions {
  readonly log: Log
  readonly index: IdIndex
  readonly moved: MovedIndex
  readonly broker: Broker
  /** Bytes that messages may take in memory, and all that waits for messages. */
  readonly memorySize: number
  /** A turn should look. */
  readonly wake: () => void
  readonly report: Logger
}

export class Pager implements PagerPort, EntrySink {
  readonly evictor: Evictor
  /** Pieces of the log that were read, and their bytes. */
  readCount = 0
  readSize = 0
  readonly #options: PagerOptions
  readonly #broker: Broker
  /** By the number of the queue in the log. */
  readonly #reads = new Map<number, QueueRead>()
  /** Queues for which there is no room yet. */
  #waiting = new Set<Queue>()
  #isUnderWay = false
  /** Where the piece begins that is read, or was read last. */
  #from = 0
  #arrived: LogReading | undefined
  /** Who has come since that piece was asked for. */
  readonly #late = new Set<QueueRead>()
  /** Damage that has been told. */
  readonly #told = new Set<string>()
  readonly #pages: ColdPage[] = []

  /** Of the block that is looked through: who may have a message of each route, and at which position it stands. */
  #routes: QueueRead[][] = []
  readonly #cursor = new RunCursor()
  #position = 0

  constructor(options: PagerOptions) {
    this.#options = options
    this.#broker = options.broker
    const { broker, memorySize } = options
    this.evictor = new Evictor({ memorySize, usedSize: () => broker.usedSize, queues: () => broker.queues() })
  }

  get slabs(): Broker['slabs'] {
    return this.#broker.slabs
  }

  get index(): IdIndex {
    return this.#options.index
  }

  get moved(): MovedIndex {
    return this.#options.moved
  }

  wanted(queue: Queue): void {
    queue.isReading = true
    this.#waiting.add(queue)
    this.#begin()
  }

  /** Whether it reads, or is going to read, at such a position. */
  isAt(isThere: (position: Position) => boolean): boolean {
    if (this.#isUnderWay && isThere(this.#from)) return true
    for (const read of this.#reads.values()) if (read.isAt(isThere)) return true
    return false
  }

  /** In each turn, before messages are handed out: what has been read goes to its pages, after others have made room. */
  step(now: number): void {
    if (this.evictor.step(now)) this.#options.wake()
    const arrived = this.#arrived
    if (arrived !== undefined) {
      this.#arrived = undefined
      this.#take(arrived)
    }
    if (this.#waiting.size > 0) this.#begin()
    else this.#readOn()
  }

  missing(queue: Queue, count: number): void {
    this.#options.report('error', 'data-damaged', {
      virtualHost: queue.virtualHost,
      queue: queue.name,
      messageCount: count,
      message: 'messages that should be in the log could not be read; the others go on',
    })
  }

  // ─── what is read ───────────────────────────────────────────────────────

  /** Reads for those who wait, as long as there is room; always for one. */
  #begin(): void {
    for (const queue of this.#waiting) {
      const room = this.#room()
      if (room <= 0 && this.#reads.size > 0) break
      this.#waiting.delete(queue)
      const pages = this.#pages
      pages.length = 0
      if (!queue.deleted) queue.coldAhead(Math.max(1, Math.min(aheadSizeMax, this.#options.memorySize * aheadShare, room)), pages)
      if (pages.length === 0) queue.isReading = false
      else {
        const read = new QueueRead(queue, [...pages], this)
        this.#reads.set(queue.keptId, read)
        if (this.#isUnderWay) this.#late.add(read)
      }
    }
    this.#readOn()
  }

  /** Bytes that may be read before they are wanted. */
  #room(): number {
    let wanted = 0
    for (const { leftSize } of this.#reads.values()) wanted += leftSize
    return this.#options.memorySize / 2 - this.#broker.usedSize - wanted
  }

  #readOn(): void {
    if (this.#isUnderWay || this.#arrived !== undefined) return
    const read = this.#nextRead()
    if (read === undefined) return
    const size = read.isLookingForMoved ? 1 : Math.min(readSizeMax, Math.max(readSizeMin, read.leftSize))
    this.#isUnderWay = true
    this.#from = read.position
    this.#options.log.read(read.position, size, this.#onRead)
  }

  /** The first that lies onwards of where the sweep is, or else the first of all. */
  #nextRead(): QueueRead | undefined {
    let onwards: QueueRead | undefined
    let first: QueueRead | undefined
    for (const read of this.#reads.values()) {
      if (first === undefined || read.position < first.position) first = read
      if (read.position >= this.#from && (onwards === undefined || read.position < onwards.position)) onwards = read
    }
    return onwards ?? first
  }

  /** Once for each place: several queues may read there, and one may read it again. */
  #tellDamage(where: string, message: string): void {
    if (this.#told.has(where) || this.#told.size >= toldMax) return
    this.#told.add(where)
    this.#options.report('error', 'data-damaged', { where, message })
  }

  readonly #onRead = (reading: LogReading): void => {
    this.#isUnderWay = false
    this.#arrived = reading
    this.#options.wake()
  }

  #take({ blocks, next, damage }: LogReading): void {
    this.readCount++
    for (const { where, message } of damage) this.#tellDamage(where, message)
    const served: QueueRead[] = []
    for (const read of this.#reads.values()) {
      // The end of the log was where it is no longer: what came behind it may have become cold since, and is not missing.
      if (next === undefined && this.#late.has(read)) continue
      if (read.begin(this.#from, next)) served.push(read)
    }
    this.#late.clear()
    for (const { position, bytes } of blocks) {
      this.readSize += bytes.length
      this.#position = position
      this.#routes.length = 0
      try {
        readEntries(bytes, this)
      } catch (error) {
        if (!(error instanceof EntryProblem)) throw error
        this.#tellDamage(`block ${position}`, error.message)
      }
    }
    for (const read of served) {
      read.end(next)
      if (!read.isDone) continue
      this.#reads.delete(read.queue.keptId)
      read.queue.wake()
    }
  }

  // ─── the entries of a block ─────────────────────────────────────────────

  route(bytes: Uint8Array, from: number, to: number): void {
    const reads: QueueRead[] = []
    for (let i = 0, count = routeQueueCount(from, to); i < count; i++) {
      const read = this.#reads.get(routeQueue(bytes, from, i))
      if (read?.wants(this.#position)) reads.push(read)
    }
    this.#routes.push(reads)
  }

  run(firstId: number, route: number, count: number, isMoved: boolean, bytes: Uint8Array, from: number, to: number): void {
    const reads = this.#routes[route]
    if (reads === undefined || reads.length === 0) return
    this.#cursor.set(firstId, count, bytes, from, to)
    for (const read of reads) read.take(this.#cursor, isMoved)
  }

  gone(): void {}
  topology(): void {}
  ids(): void {}
  drop(): void {}
}
