/**
 * Hot: the runs that a receiver has not settled, oldest first; linked through the runs themselves, because a set costs more than
 * all the rest of a run with one message.
 *
 * Invariant: a run is in at most one list.
 */
import type { Run } from './run.js'

export class RunList {
  #first: Run | undefined
  #last: Run | undefined

  add(run: Run): void {
    const last = this.#last
    run.previous = last
    if (last === undefined) this.#first = run
    else last.next = run
    this.#last = run
  }

  remove(run: Run): void {
    const { previous, next } = run
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    run.previous = undefined
    run.next = undefined
  }

  /** Empties it; returns what was there, in order. */
  takeAll(): Run[] {
    const runs: Run[] = []
    for (let run = this.#first; run !== undefined; ) {
      const { next } = run
      run.previous = undefined
      run.next = undefined
      runs.push(run)
      run = next
    }
    this.#first = undefined
    this.#last = undefined
    return runs
  }
}
