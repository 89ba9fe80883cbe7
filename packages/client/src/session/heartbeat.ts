/**
 * Is the other side alive, and are we? [P-7.1]
 *
 * A look every half interval: who has sent nothing since the last look sends HEARTBEAT. Any byte that came counts as a sign of
 * life; after two whole intervals of silence the socket gets one more chance to be read, then the connection is given up.
 *
 *     look      ½   1   1½   2            ½ = half an interval without a byte
 *     silent    │   │   │    │ read once more → lost
 *
 * A look that comes late by more than half an interval was held up by this very process, and so were the bytes that may lie in
 * the socket: that is reported, and one more interval is waited.
 */
import type { Clock, Timer } from '../clock.js'

const silentLooksMax = 4

export interface HeartbeatHome {
  /** Writes HEARTBEAT. */
  beat(): void
  readonly out: { readonly writeCount: number }
  stalled(lateMs: number): void
  lost(): void
}

export class Heartbeat {
  /** Set by whoever reads: a byte has come. */
  heard = true
  readonly #clock: Clock
  readonly #home: HeartbeatHome
  readonly #intervalMs: number
  #timer: Timer | undefined
  #due = 0
  #silentLooks = 0
  #writeCount = -1

  /** `intervalMs` 0: never. */
  constructor(clock: Clock, intervalMs: number, home: HeartbeatHome) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#home = home
    if (intervalMs > 0) this.#arm(intervalMs / 2)
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(delayMs: number): void {
    this.#due = this.#clock.now() + delayMs
    this.#timer = this.#clock.setTimeout(() => this.#look(), delayMs)
  }

  #look(): void {
    this.#timer = undefined
    const lateMs = this.#clock.now() - this.#due
    const { out } = this.#home
    if (out.writeCount === this.#writeCount) this.#home.beat()
    this.#writeCount = out.writeCount
    this.#silentLooks = this.heard ? 0 : this.#silentLooks + 1
    this.heard = false
    if (lateMs > this.#intervalMs / 2) {
      this.#silentLooks = Math.min(this.#silentLooks, silentLooksMax - 2)
      this.#home.stalled(lateMs)
    }
    if (this.#silentLooks < silentLooksMax) this.#arm(this.#intervalMs / 2)
    else this.#timer = this.#clock.setTimeout(() => this.#lastLook(), 1)
  }

  /** The loop has been around once more, so what lay in the socket has been read. */
  #lastLook(): void {
    this.#timer = undefined
    if (!this.heard) {
      this.#home.lost()
      return
    }
    this.#silentLooks = 0
    this.heard = false
    this.#arm(this.#intervalMs / 2)
  }
}
