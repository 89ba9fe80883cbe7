/**
 * How long handlers have kept the event loop to themselves. Heartbeats, other connections and the rest of the program wait meanwhile,
 * so after 50 ms they get their turn.
 *
 * Asked before each handler, so it looks at the clock for each slow one and only now and then for quick ones.
 */
import type { Clock } from '../clock.js'

const sliceMs = 50
/** The clock is asked once for so many quick handlers. */
const unlookedMax = 8

export class Slice {
  readonly #clock: Clock
  #start = 0
  #turn = -1
  #unlooked = 0
  #unlookedLimit = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The event loop has had its turn. */
  reset(): void {
    this.#turn = -1
    this.#unlooked = this.#unlookedLimit
  }

  /** `turn`: turns of the event loop so far; another number than before begins a new slice. */
  isOver(turn: number): boolean {
    if (++this.#unlooked < this.#unlookedLimit) return false
    this.#unlooked = 0
    const now = this.#clock.now()
    if (turn !== this.#turn) {
      this.#turn = turn
      this.#start = now
      this.#unlookedLimit = 1
      return false
    }
    const spentMs = now - this.#start
    this.#unlookedLimit = spentMs < sliceMs / 10 ? Math.min(unlookedMax, this.#unlookedLimit * 2) : 1
    return spentMs >= sliceMs
  }
}
