/** One timer for all deadlines of a channel: it is due at the earliest of them, and then somebody looks at all. */
import type { Clock, Timer } from '../clock.js'

/** Deadlines are met to this accuracy: so many that are due within it cost one look. */
const gapMs = 10

export class Sweep {
  /** When the next look is. */
  at = Infinity
  readonly #clock: Clock
  readonly #look: (now: number) => void
  #timer: Timer | undefined

  constructor(clock: Clock, look: (now: number) => void) {
    this.#clock = clock
    this.#look = look
  }

  /** Looks at `at`, unless it does so before anyway. */
  arm(at: number): void {
    if (at >= this.at) return
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.at = at
    this.#timer = this.#clock.setTimeout(() => this.#due(), Math.max(gapMs, at - this.#clock.now()))
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    this.at = Infinity
  }

  #due(): void {
    this.#timer = undefined
    this.at = Infinity
    this.#look(this.#clock.now())
  }
}
