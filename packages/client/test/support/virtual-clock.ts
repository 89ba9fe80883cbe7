/** A clock that stands still until a test moves it. Timers fire in the order of their time, then of their making. */
import type { Clock } from '@waybill/client/testing'

interface Scheduled {
  readonly callback: () => void
  readonly at: number
}

export class VirtualClock implements Clock {
  /** Taken in turn by `random`; 0.5 when there are none left. */
  randoms: number[] = []
  #now: number
  #timers = new Set<Scheduled>()

  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, delayMs: number): Scheduled {
    const timer = { callback, at: this.#now + Math.max(0, delayMs) }
    this.#timers.add(timer)
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Scheduled)
  }

  random(): number {
    return this.randoms.shift() ?? 0.5
  }

  get timerCount(): number {
    return this.#timers.size
  }

  /** Lets `ms` pass, and everything happen that follows from it. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > end) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
      await settle()
    }
    this.#now = end
    await settle()
  }

  /** The process did not get to its timers: time passes, and those that are due fire late, once each. */
  async stall(ms: number): Promise<void> {
    await settle()
    this.#now += ms
    for (const timer of [...this.#timers].filter((each) => each.at <= this.#now).sort((a, b) => a.at - b.at)) {
      if (this.#timers.delete(timer)) timer.callback()
    }
    await settle()
  }
}

/** Everything that can happen without time passing has happened. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}
