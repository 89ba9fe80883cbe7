import type { Clock } from '../../dist/ports/clock.js'

/** Time that passes when a test says so. */
export class PaperClock implements Clock {
  #now = 1_000_000
  #due: { at: number; call: () => void } | undefined
  #soon: (() => void) | undefined

  now(): number {
    return this.#now
  }

  wall(): number {
    return 1_800_000_000_000 + this.#now
  }

  arm(at: number, due: () => void): void {
    this.#due = at === Infinity ? undefined : { at, call: due }
  }

  soon(turn: () => void): void {
    this.#soon = turn
  }

  /** Runs the turns that have been asked for, until none is. */
  settle(): void {
    for (let turn = this.#soon; turn !== undefined; turn = this.#soon) {
      this.#soon = undefined
      turn()
    }
  }

  /** Runs one turn, if one has been asked for. */
  turn(): void {
    const turn = this.#soon
    this.#soon = undefined
    turn?.()
  }

  /** Lets time pass, from one timer to the next. */
  pass(ms: number): void {
    const end = this.#now + ms
    this.settle()
    while (this.#due !== undefined && this.#due.at <= end) {
      const { at, call } = this.#due
      this.#due = undefined
      this.#now = Math.max(this.#now, at)
      call()
      this.settle()
    }
    this.#now = end
  }

  /** Nothing runs for so long; then the timers do, late, before anything is read. */
  stall(ms: number): void {
    this.#now += ms
    const due = this.#due
    if (due === undefined || due.at > this.#now) return
    this.#due = undefined
    due.call()
    this.settle()
  }
}
