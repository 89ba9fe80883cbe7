/**
 * When a disk that fails excuses a broker that does not take what is to be kept:
 *
 *     well ── the disk fails ─▶ struck ── the broker says so, in this turn or the next ─▶ failed ── it says that it has recovered ─▶ well
 *      ▲                          │
 *      └──────────────────────────┴── it does not: what failed is not what it keeps things in
 *
 * Before and after nothing is excused. Once the disk does what it is asked again the broker has to recover within a bounded time.
 */
import { expect } from '../failure.js'

export interface DiskState {
  /** Whether it goes on failing, or has no room. */
  readonly isFailing: boolean
  /** Milliseconds in which the process has waited for it to sync. */
  readonly syncingMs: number
}

export interface OutageHome {
  /** What comes between two turns. */
  readonly batch: number
  readonly now: number
  readonly stamp: number
  /** Milliseconds in which the broker's process was held up. */
  readonly stalledMs: number
}

/** What is promised; the broker looks twice a second, and may have tried right before. Time in which it waits for a sync is the disk's. */
const idleMsMax = 2_000
/** All in all: slow disks take some seconds for a snapshot. */
const recoverMsMax = 60_000

export class Outage {
  readonly #home: OutageHome
  readonly #disk: DiskState
  #state: 'well' | 'struck' | 'failed' = 'well'
  /** The batch of the last failure. */
  #struckIn = -1
  /** Until then the last one that is over has lasted. */
  #through = -1
  /** The disk works since then: milliseconds in which the process ran, and those of them in which the disk had nothing to sync. */
  #worksSince = 0
  #idleSince = 0

  constructor(home: OutageHome, disk: DiskState) {
    this.#home = home
    this.#disk = disk
  }

  get isOn(): boolean {
    return this.#state !== 'well'
  }

  /** Whether there was one at any moment since then. */
  wasOnSince(stamp: number): boolean {
    return this.isOn || stamp <= this.#through
  }

  /** The process begins. `hasFailed`: its disk has failed while it opened. */
  begins(hasFailed: boolean): void {
    this.#through = this.#struckIn = -1
    this.#state = 'well'
    if (hasFailed) this.struck()
  }

  /** The disk does not do what it was asked. */
  struck(): void {
    if (this.#state === 'well') this.#state = 'struck'
    this.#struckIn = this.#home.batch
    this.#worksFromNow()
  }

  /** The broker says that what it keeps things in has failed. */
  failed(): void {
    expect(this.isOn, 'storage', () => 'the broker says that its storage has failed, and nothing is wrong with the disk')
    this.#state = 'failed'
  }

  recovered(): void {
    expect(this.#state === 'failed', 'storage', () => 'the broker says that its storage has recovered, and it had not failed')
    // Of a disk that has failed once more in the meantime it may still have to hear.
    if (this.#struckIn >= this.#home.batch - 1) this.#state = 'struck'
    else this.#ends()
  }

  turnEnds(): void {
    if (this.#state === 'struck' && this.#struckIn < this.#home.batch) this.#ends()
    if (this.#state !== 'failed') return
    if (this.#disk.isFailing) this.#worksFromNow()
    this.#expectSoon()
  }

  /** Nothing goes wrong any more. */
  atRest(): void {
    expect(!this.isOn, 'storage', () => 'the broker does not take up its disk again')
  }

  #ends(): void {
    this.#state = 'well'
    this.#through = this.#home.stamp
  }

  #expectSoon(): void {
    const ms = this.#runMs - this.#worksSince
    const idleMs = this.#runMs - this.#disk.syncingMs - this.#idleSince
    const isLate = idleMs > idleMsMax || ms > recoverMsMax
    expect(!isLate, 'storage', () => `the disk works since ${ms} ms, ${idleMs} of them idle, and the broker does not take it up again`)
  }

  #worksFromNow(): void {
    this.#worksSince = this.#runMs
    this.#idleSince = this.#worksSince - this.#disk.syncingMs
  }

  get #runMs(): number {
    return this.#home.now - this.#home.stalledMs
  }
}
