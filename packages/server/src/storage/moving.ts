/**
 * What is still needed of one segment, written again behind everything else, so that the segment can go:
 *
 *     segment     │ · · x · · · · │ · · · │ · x x · · │          read a piece at a time, a piece a turn
 *     log         ……………………………………………………………………………… │ x x x │
 *
 * `live` says what queues had when the segment had already got its last message: what is in it and not in `live` is gone for good. What went since is
 * written again for nothing, which does no harm.
 */
import type { Log, LogReading, Position, SegmentId } from '../ports/log.js'
import type { Copies } from './copies.js'
import { EntryProblem, type EntrySink, readEntries, routeQueue, routeQueueCount } from './entries.js'
import type { IdRanges } from './live-ranges.js'
import { RunCursor } from './run-cursor.js'

const pieceSize = 1024 * 1024

export interface MovingOptions {
  readonly log: Log
  readonly copies: Copies
  readonly segment: SegmentId
  readonly first: Position
  readonly live: IdRanges
  /** Whether there is a queue with this number. */
  readonly hasQueue: (number: number) => boolean
  /** A turn should look. */
  readonly wake: () => void
}

export class Moving implements EntrySink {
  readonly segment: SegmentId
  /** Everything that is needed has been appended elsewhere. */
  isDone = false
  /** Something of it could not be read. It must stay: somebody may be able to mend it. */
  damage: string | undefined
  readonly #options: MovingOptions
  #next: Position
  #isReading = false
  #reading: LogReading | undefined
  /** Of the block at hand: the queues of each route that are still there; nobody: undefined. */
  #routes: (Uint8Array | undefined)[] = []
  readonly #cursor = new RunCursor()

  constructor(options: MovingOptions) {
    this.segment = options.segment
    this.#options = options
    this.#next = options.first
    this.#read()
  }

  /** In a turn: goes on with what has been read. */
  step(): void {
    const reading = this.#reading
    if (reading === undefined) {
      this.#read()
      return
    }
    this.#reading = undefined
    const { log, copies, wake } = this.#options
    for (const { segment, where, message } of reading.damage) if (segment === this.segment) this.damage ??= `${where}: ${message}`
    for (const { position, bytes } of reading.blocks) {
      if (log.segmentOf(position) !== this.segment) continue
      this.#routes = []
      try {
        readEntries(bytes, this)
      } catch (error) {
        if (!(error instanceof EntryProblem)) throw error
        this.damage ??= error.message
      }
    }
    const { next } = reading
    if (this.damage === undefined && next !== undefined && log.segmentOf(next) === this.segment) {
      this.#next = next
      this.#read()
      return
    }
    copies.flush()
    this.isDone = true
    wake()
  }

  route(bytes: Uint8Array, from: number, to: number): void {
    const there: number[] = []
    for (let i = 0, count = routeQueueCount(from, to); i < count; i++) {
      if (this.#options.hasQueue(routeQueue(bytes, from, i))) there.push(from + i * 4)
    }
    const queues = new Uint8Array(there.length * 4)
    for (const [i, at] of there.entries()) queues.set(bytes.subarray(at, at + 4), i * 4)
    this.#routes.push(there.length === 0 ? undefined : queues)
  }

  run(firstId: number, route: number, count: number, _isMoved: boolean, bytes: Uint8Array, from: number, to: number): void {
    const { live, copies } = this.#options
    const queues = this.#routes[route]
    if (queues === undefined) return
    const cursor = this.#cursor
    cursor.set(firstId, count, bytes, from, to)
    for (; cursor.size > 0; cursor.skip()) {
      if (live.has(cursor.id)) copies.add(cursor.id, queues, bytes, cursor.at, cursor.at + cursor.size)
    }
  }

  gone(): void {}
  topology(): void {}
  ids(): void {}
  drop(): void {}

  #read(): void {
    if (this.#isReading || this.isDone) return
    const { log, wake } = this.#options
    this.#isReading = true
    log.read(this.#next, pieceSize, (reading) => {
      this.#isReading = false
      this.#reading = reading
      wake()
    })
  }
}
