/**
 * Segments that are given back: first the log says so, and only when that is synced does the file go. So a file that is missing is either missed by nobody, or
 * damage.
 *
 *     drop ─▶ block DROPPED ─▶ synced ─▶ the file is a spare, or removed
 */
import { writeU32 } from '@waybill/protocol'
import type { SegmentId } from '../../ports/log.js'
import type { Segment } from './segment.js'
import type { Spares } from './spares.js'

interface Dropping {
  readonly segment: Segment
  readonly size: number
  /** Of the block that says so; Infinity: none does. */
  number: number
}

export class Drops {
  readonly #spares: Spares
  #pending: Dropping[] = []
  /** Segments of which nothing had been synced when the log failed. */
  readonly #lost = new Set<SegmentId>()

  constructor(spares: Spares) {
    this.#spares = spares
  }

  /** Bytes of the files that are still there. */
  get size(): number {
    let size = 0
    for (const each of this.#pending) size += each.size
    return size
  }

  add(segment: Segment): void {
    this.#pending.push({ segment, size: segment.fileSize, number: Infinity })
  }

  lose(id: SegmentId): void {
    this.#lost.add(id)
  }

  /** What a block has to say; undefined: nothing. `isBegin`: of an epoch, all of it once more. */
  toSay(isBegin: boolean): Uint8Array | undefined {
    const unsaid = this.#pending.filter(({ number }) => isBegin || number === Infinity).map(({ segment }) => segment.id)
    const ids = isBegin ? [...this.#lost, ...unsaid] : unsaid
    if (ids.length === 0) return undefined
    const bytes = new Uint8Array(ids.length * 4)
    for (const [index, id] of ids.entries()) writeU32(bytes, index * 4, id)
    return bytes
  }

  /** The block with this number has said it. */
  said(number: number): void {
    for (const each of this.#pending) each.number = Math.min(each.number, number)
  }

  /** The log has failed: what was said behind what is synced has not been said. */
  unsaid(synced: number): void {
    for (const each of this.#pending) if (each.number > synced) each.number = Infinity
  }

  /** Every block up to this number is synced: files go. True: names have changed. */
  synced(number: number): boolean {
    if (this.#pending.length === 0) return false
    const due = this.#pending.filter((each) => each.number <= number)
    this.#pending = this.#pending.filter((each) => each.number > number)
    for (const { segment, size } of due) {
      segment.close()
      try {
        this.#spares.recycle(segment.name, size)
      } catch {
        // The log knows that it is not needed: it goes when the log is opened again.
      }
    }
    return due.length > 0
  }
}
