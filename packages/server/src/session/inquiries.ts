/**
 * Requests on channel 0 of an open connection: lists, and the CLOSE behind them, in their order. A list may cost milliseconds and be large, so each
 * connection gets one in a turn, and none while it does not take what it has been sent.
 */
const waitingMax = 256

export class Inquiries {
  #waiting: (() => void)[] = []
  #hadOne = false

  get waitingCount(): number {
    return this.#waiting.length
  }

  /** Carries it out now, or in a later turn; false when too many are waiting. */
  ask(inquiry: () => void): boolean {
    if (!this.#hadOne && this.#waiting.length === 0) {
      this.#hadOne = true
      inquiry()
      return true
    }
    if (this.#waiting.length >= waitingMax) return false
    this.#waiting.push(inquiry)
    return true
  }

  /** A turn has begun: the next one is carried out. */
  next(): void {
    const inquiry = this.#waiting.shift()
    this.#hadOne = inquiry !== undefined
    inquiry?.()
  }
}
