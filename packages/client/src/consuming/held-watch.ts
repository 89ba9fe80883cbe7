/**
 * Says so when a consumer stands still: its window is used up, and a minute later nothing of it has been settled. A program that forgets
 * to settle would otherwise wait for ever, and nobody would know for what.
 *
 * Invariant: it is said once until something is settled, and nothing is timed while the window has room.
 */
import type { Clock, Timer } from '../clock.js'
import type { Log } from '../log.js'

const heldMs = 60_000

/** The consumer that is looked at. */
export interface Holder {
  readonly queue: string
  readonly isOpen: boolean
  /** Handlers at work. */
  readonly running: number
  /** Messages of its window, and those of them that are unsettled. */
  readonly prefetch: number
  readonly unsettledCount: number
  /** Settled since it began. */
  readonly settledCount: number
}

export class HeldWatch {
  readonly #holder: Holder
  readonly #clock: Clock
  readonly #log: Log
  #timer: Timer | undefined
  #settledCountBefore = 0

  constructor(holder: Holder, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#holder = holder
    this.#clock = clock
    this.#log = log
  }

  /** The window is used up. */
  begin(): void {
    if (this.#timer !== undefined) return
    this.#settledCountBefore = this.#holder.settledCount
    this.#timer = this.#clock.setTimeout(() => this.#look(), heldMs)
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    this.#timer = undefined
    const { queue, isOpen, running, prefetch, unsettledCount, settledCount } = this.#holder
    if (unsettledCount < prefetch || unsettledCount === 0 || !isOpen) return
    if (settledCount !== this.#settledCountBefore) {
      this.begin()
      return
    }
    const message = `nothing has been settled for ${heldMs / 1000} s, so nothing more is delivered`
    this.#log({ level: 'warn', event: 'prefetch-held', queue, unsettled: unsettledCount, running, message })
  }
}
