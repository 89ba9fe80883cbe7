/**
 * What is done when the log has failed: its file is never used again, and in another place it is made up for what is lost.
 *
 *     failed ── recover(), at once and again soon ──▶ messages that are lost are written again ─▶ snapshot ─▶ well
 *        ▲                                                      │                                    │
 *        └──────────────────────────────────────────────────────┴──── that failed too ───────────────┘
 *
 * Meanwhile consumers, and messages that need not be kept, go on. Behind the snapshot the disk has what memory has, but for messages that were refused.
 */
import { writeU32 } from '@waybill/protocol'
import type { Broker } from '../broker/broker.js'
import type { Logger } from '../ports/logger.js'
import { Copies } from './copies.js'
import type { LogJournal } from './log-journal.js'
import type { MovedIndex } from './moved-index.js'

/** At least; it is looked twice a second, or in each turn. */
const retryMs = 500

export interface MendingOptions {
  readonly journal: LogJournal
  readonly broker: Broker
  readonly moved: MovedIndex
  readonly tell: Logger
  readonly snapshots: {
    /** An older one is on its way. */
    readonly isBusy: boolean
    /** When none is: saves what is so in this turn, and says so. */
    ask(done: (error: Error | undefined) => void): void
  }
  /** A turn should look. */
  readonly wake: () => void
}

export class Mending {
  readonly #options: MendingOptions
  #state: 'well' | 'failed' | 'saving' = 'well'
  /** Of several that were begun, only the last counts. */
  #attempt = 0
  #retryAt = 0
  #failedAt = 0

  constructor(options: MendingOptions) {
    this.#options = options
  }

  /** After the journal has written, in each turn; there is one at least twice a second. */
  look(now: number): void {
    const { journal, tell, snapshots, wake } = this.#options
    if (!journal.failed) return
    const { failed, message } = journal.log.progress()
    if (this.#state === 'well') {
      this.#state = 'failed'
      this.#failedAt = this.#retryAt = now
      tell('error', 'storage-failed', { reason: failed, message })
      // In the next turn: in this one publishers are told what is lost, and messages that are refused leave their queues.
      wake()
      return
    }
    if (this.#state === 'saving' && failed !== undefined) this.#again(now, message)
    // What is said from `mend` on follows behind the snapshot. So this must be one of the same turn: a later one would have it too, and it would be there twice.
    if (this.#state === 'failed' && now >= this.#retryAt && !snapshots.isBusy) this.#recover(now)
  }

  #recover(now: number): void {
    const { journal, moved, snapshots, wake } = this.#options
    const { log } = journal
    // It may have been the snapshot alone that could not be saved.
    const hasFailed = log.progress().failed !== undefined
    if (hasFailed && !log.recover()) {
      this.#retryAt = now + retryMs
      return
    }
    journal.mend()
    if (hasFailed) {
      moved.forget((position) => position > journal.lostFrom)
      this.#writeAgain()
    }
    this.#state = 'saving'
    const attempt = ++this.#attempt
    snapshots.ask((error) => {
      if (attempt !== this.#attempt) return
      if (error === undefined) this.#healed()
      else this.#again(this.#options.broker.now, error.message)
      wake()
    })
  }

  /** Persistent messages that the log does not have. */
  #writeAgain(): void {
    const { journal, broker, moved } = this.#options
    const { slabs } = broker
    const copies = new Copies(journal.log, moved)
    for (const queue of broker.queues()) {
      if (queue.keptId === 0 || queue.liveCount === 0) continue
      const queues = new Uint8Array(4)
      writeU32(queues, 0, queue.keptId)
      queue.eachPersistent(journal.syncedId, (slab, offset, size, id) => copies.add(id, queues, slabs.buffer(slab), offset, offset + size))
    }
    copies.flush()
  }

  #again(now: number, message: string): void {
    this.#attempt++
    this.#state = 'failed'
    this.#retryAt = now + retryMs
    this.#options.journal.cut()
    this.#options.tell('warn', 'storage-recovery-failed', { message })
  }

  #healed(): void {
    const { journal, tell, broker } = this.#options
    this.#state = 'well'
    journal.healed()
    tell('info', 'storage-recovered', { ms: broker.now - this.#failedAt })
  }
}
