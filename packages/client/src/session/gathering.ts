/**
 * Hot: whether settlements of this turn leave now, or together with those of the next.
 *
 * A write for each turn costs more than all the rest of a message (65 of 230 ns, and as much again in the broker), and small writes
 * beget small deliveries. So after `promptWriteCount` in a millisecond settlements are gathered, up to a quarter of the smallest
 * window, for a millisecond at most. Who settles now and then is always written at once.
 *
 * Invariant: while something is gathered the timer is set, or its time is up and the turn that writes it has been asked for.
 */
import type { Clock, Timer } from '../clock.js'

const promptWriteCount = 2
const gatherMs = 1

export class Gathering {
  /** Settled, and delivered, since settlements were written. */
  settledCount = 0
  deliveredSize = 0
  readonly #clock: Clock
  readonly #due: () => void
  #settledCountMax = 0
  #deliveredSizeMax = 0
  #timer: Timer | undefined
  #isDue = false
  #promptSince = 0
  #promptCount = 0

  /** `due` is called when what was gathered has waited long enough. */
  constructor(clock: Clock, due: () => void) {
    this.#clock = clock
    this.#due = due
  }

  /** The windows of the consumers are these now. */
  measure(windows: readonly { readonly prefetch: number; readonly prefetchSize: number }[]): void {
    this.#settledCountMax = Math.min(...windows.map((each) => each.prefetch)) / 4
    this.#deliveredSizeMax = Math.min(...windows.map((each) => each.prefetchSize)) / 4
  }

  /** Whether to wait for the next turn; asked once a turn in which something was settled. `now` is the time of the turn. */
  waits(now: number): boolean {
    if (now - this.#promptSince >= gatherMs) {
      this.#promptSince = now
      this.#promptCount = 0
    }
    const isLarge = this.settledCount >= this.#settledCountMax || this.deliveredSize >= this.#deliveredSizeMax
    if (isLarge || this.#isDue || this.#promptCount++ < promptWriteCount) return false
    this.#timer ??= this.#clock.setTimeout(() => {
      this.#timer = undefined
      this.#isDue = true
      this.#due()
    }, gatherMs)
    return true
  }

  /** Everything has been written, or is nobody's any more. */
  written(): void {
    this.settledCount = 0
    this.deliveredSize = 0
    this.#isDue = false
    if (this.#timer === undefined) return
    this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
