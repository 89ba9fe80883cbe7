/** The waits between two rounds of trying: a random part of a time that doubles (full jitter), cut short by whoever ends the trying. */
import type { Clock } from '../clock.js'

/** The first wait is at most `backoffMs`, none is longer than `backoffMaxMs`. */
export interface Backoff {
  readonly backoffMs: number
  readonly backoffMaxMs: number
}

export class Pauses {
  readonly #clock: Clock
  #wake: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How long to wait after so many rounds. All clients that have lost a broker at the same time draw another number. */
  length(attempt: number, { backoffMs, backoffMaxMs }: Backoff): number {
    return Math.round(this.#clock.random() * Math.min(backoffMaxMs, backoffMs * 2 ** Math.min(attempt - 1, 30)))
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#clock.clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
      const timer = this.#clock.setTimeout(wake, delayMs)
      this.#wake = wake
    })
  }

  /** Whoever sleeps goes on at once. */
  wake(): void {
    this.#wake?.()
  }
}
