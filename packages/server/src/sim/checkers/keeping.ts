/**
 * How much of what has happened the disk has, in stamps, over one process after another:
 *
 *     ─────────────── safe ─────────── written ─────── now        safe: somebody was told what nobody is told before it is kept
 *                       └─ found ─┘                               written: the last turn ended so
 *
 * What the last process left is found by the next one: all that was written if it was killed, what is safe if the power was cut or the disk had
 * failed. Once a bit of the disk has turned, anything may be missing of what is told as damage, and nothing else may be there.
 */
import type { DurableState } from '../../broker/durable.js'
import { KeptNames } from './kept-names.js'
import type { ExpectedNames } from './names.js'
import type { ExpectedQueue } from './queue.js'

export class Keeping {
  readonly names = new KeptNames()
  /** A bit of what the disk has has turned. */
  isRotten = false
  /** Damage was told while the process was opening. */
  isDamaged = false
  #safeThrough = -1
  #writtenThrough = -1
  #foundThrough = -1

  safeThrough(stamp: number): void {
    if (stamp <= this.#safeThrough) return
    this.#safeThrough = stamp
    this.names.safeThrough(stamp)
  }

  writtenThrough(stamp: number): void {
    this.#writtenThrough = stamp
  }

  isSafe(stamp: number): boolean {
    return stamp <= this.#safeThrough
  }

  /** When the process before had ended: whether what happened then is surely there. */
  isFound(stamp: number): boolean {
    return !this.isDamaged && stamp <= this.#foundThrough
  }

  /**
   * The process has ended. What a killed process had written stays there; of what a disk has of it that fails, or has no power, nobody knows: `isUnsure`. An
   * opening syncs what it finds, and begins nothing before that is done: when it fails instead, what it found may be gone with its process, and nobody was told
   * of it. [P-10.4]
   */
  ended(isUnsure: boolean, wasUp: boolean): void {
    // It may have found what the bit has harmed at the end of the log, and cut it, and not have come to say so.
    if (!wasUp && this.isRotten) this.isDamaged = true
    if (isUnsure) this.#foundThrough = this.#safeThrough
    else if (wasUp) this.#foundThrough = Math.max(this.#safeThrough, this.#writtenThrough)
  }

  /** The names are as the next process has found them. Returns its queues. */
  restore(names: ExpectedNames, state: DurableState): readonly ExpectedQueue[] {
    return this.isDamaged ? this.names.salvage(names, state) : this.names.restore(names, state, this.#foundThrough)
  }
}
