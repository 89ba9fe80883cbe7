/**
 * Messages that have been taken and cannot be sent yet, in order: there is no credit, no connection, or something waits before them.
 *
 * Not the usual way of a message, so each is an object and has bytes of its own.
 *
 * Invariant: the bytes of those taken offline with 'buffer' are counted in `buffered` until they leave, whichever way.
 */
import type { PublishError } from '../errors.js'
import type { Origin } from './origin.js'
import type { Stored } from './refusals.js'

export interface Waiting {
  readonly origin: Origin
  readonly number: number
  readonly key: string
  readonly flags: number
  readonly record: Uint8Array
  /** Infinity for one that was buffered: its time begins when there is a connection. */
  deadline: number
  buffered: boolean
  /** It was sent on a connection that was lost: the broker may have it. */
  readonly sentBefore: boolean
}

export class Backlog {
  readonly #buffered: { size: number }
  #waiting: Waiting[] = []

  constructor(buffered: { size: number }) {
    this.#buffered = buffered
  }

  get count(): number {
    return this.#waiting.length
  }

  /** The one at this place, or undefined behind the last. Messages may be pushed while the places are gone through. */
  at(place: number): Waiting | undefined {
    return this.#waiting[place]
  }

  push(waiting: Waiting): void {
    if (waiting.buffered) this.#buffered.size += waiting.record.length
    this.#waiting.push(waiting)
  }

  /** Puts messages before all others. */
  putFirst(waiting: readonly Waiting[]): void {
    if (waiting.length > 0) this.#waiting = [...waiting, ...this.#waiting]
  }

  /** The first ones have been sent. */
  dropFirst(count: number): void {
    if (count === this.#waiting.length) this.#waiting = []
    else if (count > 0) this.#waiting = this.#waiting.slice(count)
  }

  /** Takes out the message of this origin. */
  remove(origin: Origin): Waiting | undefined {
    const waiting = this.#waiting.find((each) => each.origin === origin)
    if (waiting === undefined) return undefined
    this.#waiting = this.#waiting.filter((each) => each !== waiting)
    this.#unbuffer(waiting)
    return waiting
  }

  /** There is a connection again: buffering ends, and the usual time begins for those that had none. */
  online(deadline: number): void {
    for (const waiting of this.#waiting) {
      if (!waiting.buffered) continue
      this.#unbuffer(waiting)
      if (waiting.deadline === Infinity) waiting.deadline = deadline
    }
  }

  earliestDeadline(): number {
    return this.#waiting.reduce((earliest, { deadline }) => Math.min(earliest, deadline), Infinity)
  }

  /** Refuses those whose deadline is at or before `now`; Infinity refuses all. Returns whether there were any. */
  refuseDue(now: number, error: (stored: Stored) => PublishError): boolean {
    const due = this.#waiting.filter((each) => each.deadline <= now)
    if (due.length === 0) return false
    this.#waiting = this.#waiting.filter((each) => each.deadline > now)
    for (const waiting of due) {
      this.#unbuffer(waiting)
      const { origin, number, record, key, sentBefore } = waiting
      if (!origin.abandoned) origin.refused(number, record.length, key, true, error(sentBefore ? 'unknown' : 'no'))
    }
    return true
  }

  #unbuffer(waiting: Waiting): void {
    if (waiting.buffered) this.#buffered.size -= waiting.record.length
    waiting.buffered = false
  }
}
