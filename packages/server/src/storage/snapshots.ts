/**
 * When a snapshot is made: after so much of the log that reading it again would take longer than it should, and when somebody asks.
 *
 *     turn │ state at position p, as bytes │ … log synced up to p … │ saved │          at most one on its way
 *
 * The state is that of memory, so it says what blocks say that are not synced yet: it is saved when they are, and thrown away if they never will be.
 */
import type { Broker } from '../broker/broker.js'
import type { Log, Position } from '../ports/log.js'
import type { Logger } from '../ports/logger.js'
import type { LogJournal } from './log-journal.js'
import type { MovedIndex } from './moved-index.js'
import { encodeSnapshot } from './snapshot.js'

/** Bytes of log between two snapshots, at least; and so many times the size of the last one. */
const logSizeMin = 64 * 1024 * 1024
const snapshotSizes = 4

export type SnapshotDone = (error: Error | undefined) => void

export interface SnapshotsOptions {
  readonly log: Log
  readonly journal: LogJournal
  readonly broker: Broker
  readonly moved: MovedIndex
  readonly tell: Logger
  /** Monotonic ms. */
  readonly now: () => number
  /** A turn should run: `look` has something to see. */
  readonly wake: () => void
  /** Bytes of log that lie behind the last snapshot now. */
  readonly tailSize: number
  /** 64 MiB; tests have less patience. */
  readonly logSizeMin?: number | undefined
}

interface Taken {
  readonly through: Position
  readonly epoch: number
  readonly parts: readonly Uint8Array[]
  readonly size: number
  readonly takenAt: number
  readonly done: readonly SnapshotDone[]
}

export class Snapshots {
  /** Every block up to here is not needed for names, counts and ranges any more: the last snapshot saved says it. 0: none was, in this life. */
  through: Position = 0
  /** Where messages lie that were written again. */
  readonly moved: MovedIndex
  readonly #options: SnapshotsOptions
  readonly #logSizeMin: number
  #asked: SnapshotDone[] = []
  #taken: Taken | undefined
  #isSaving = false
  /** `appendedSize` of the journal at the last one that was taken. */
  #appendedAt: number
  /** Bytes of the last one. */
  size = 0

  constructor(options: SnapshotsOptions) {
    this.#options = options
    this.moved = options.moved
    this.#logSizeMin = options.logSizeMin ?? logSizeMin
    this.#appendedAt = options.journal.appendedSize - options.tailSize
  }

  /** One is made of what is so now or a little later. `done` is told once, later. */
  ask(done: SnapshotDone): void {
    this.#asked.push(done)
    this.#options.wake()
  }

  /** One that was taken before is not saved yet. Each that ends wakes a turn. */
  get isBusy(): boolean {
    return this.#isSaving || this.#taken !== undefined
  }

  /** Looks whether it is time. After the journal has written what the turn said. */
  look(): void {
    if (this.#isSaving) return
    if (this.#taken !== undefined) this.#lookAtTaken(this.#taken)
    else if (this.#asked.length > 0 || this.#isDue) this.#take()
  }

  get #isDue(): boolean {
    const { journal } = this.#options
    return journal.appendedSize - this.#appendedAt >= Math.max(this.#logSizeMin, snapshotSizes * this.size) && !journal.failed
  }

  #take(): void {
    const { log, journal, broker, moved, now } = this.#options
    const takenAt = now()
    const { written: through } = log.progress()
    const parts = encodeSnapshot({
      state: broker.durableState(journal.reservedId),
      // One in which nothing was kept yet may not be there after a crash, and nobody misses it.
      segments: log
        .segments()
        .filter(({ id, first }) => first <= through && !journal.leaving.has(id))
        .map(({ id }) => id),
      index: journal.index,
      moved,
    })
    let size = 0
    for (const part of parts) size += part.length
    this.#appendedAt = journal.appendedSize
    this.#taken = { through, epoch: log.epoch, parts, size, takenAt, done: this.#asked }
    this.#asked = []
    this.#lookAtTaken(this.#taken)
  }

  #lookAtTaken(taken: Taken): void {
    const { log, wake } = this.#options
    const { synced, failed, message } = log.progress()
    if (failed !== undefined) this.#end(taken, new Error(message))
    else if (log.epoch !== taken.epoch) this.#end(taken, new Error('the log has gone on in another place'))
    else if (synced >= taken.through) {
      this.#isSaving = true
      log.saveSnapshot({ through: taken.through, parts: taken.parts }, (error) => {
        this.#isSaving = false
        this.#end(taken, error)
        wake()
      })
    }
  }

  #end(taken: Taken, error: Error | undefined): void {
    const { now, tell } = this.#options
    this.#taken = undefined
    if (error === undefined) {
      this.through = taken.through
      this.size = taken.size
      tell('debug', 'snapshot-saved', { size: taken.size, ms: now() - taken.takenAt })
    } else tell('warn', 'snapshot-failed', { message: error.message })
    for (const done of taken.done) done(error)
  }
}
