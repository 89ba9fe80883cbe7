/**
 * What the log needs besides being written to, twice a second and in between: whether the disk has room, what to do when it has failed, space that can
 * be given back. Publishers get nothing as long as there is a reason in `withheld`.
 */
import type { Broker } from '../broker/broker.js'
import type { Timed, Timers } from '../broker/timers/timed.js'
import type { Logger } from '../ports/logger.js'
import { DiskAlarm } from './disk-alarm.js'
import type { LogJournal } from './log-journal.js'
import { Mending } from './mending.js'
import type { MovedIndex } from './moved-index.js'
import type { Pager } from './pager.js'
import type { Snapshots } from './snapshots.js'
import { Space } from './space.js'

const lookMs = 500
/** Bytes on their way to the disk, above which more would only wait there. */
const unsyncedSizeMax = 8 * 1024 * 1024

export interface UpkeepOptions {
  readonly journal: LogJournal
  readonly broker: Broker
  readonly moved: MovedIndex
  readonly timers: Timers
  readonly diskFreeMin: number
  readonly tell: Logger
  readonly snapshots: Snapshots
  readonly pager: Pager
  /** A turn should look. */
  readonly wake: () => void
}

export class Upkeep implements Timed {
  readonly #journal: LogJournal
  readonly #timers: Timers
  readonly #alarm: DiskAlarm
  readonly #mending: Mending
  readonly space: Space
  #isStopped = false

  constructor(options: UpkeepOptions) {
    const { journal, broker, timers, diskFreeMin, pager } = options
    this.#journal = journal
    this.#timers = timers
    this.#alarm = new DiskAlarm(diskFreeMin)
    this.#mending = new Mending(options)
    this.space = new Space({ ...options, isRead: (isThere) => pager.isAt(isThere) })
    this.due(0, broker.now)
  }

  /** Why publishers get no credit. `sync` is over in a moment. */
  get withheld(): 'disk' | 'sync' | undefined {
    if (this.#alarm.isRaised) return 'disk'
    return this.#journal.unsyncedSize > unsyncedSizeMax ? 'sync' : undefined
  }

  /** In each turn, after the journal has written. */
  look(now: number): void {
    if (this.#isStopped) return
    this.#mending.look(now)
    this.space.step(now)
  }

  /** The log is about to be closed: nothing is begun any more. */
  stop(): void {
    this.#isStopped = true
  }

  due(_value: number, now: number): void {
    if (this.#isStopped) return
    this.#timers.insert(now + lookMs, this, 0)
    this.#alarm.look(this.#journal.log.space().free)
    this.space.tick(now)
  }
}
