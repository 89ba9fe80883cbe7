/**
 * What becomes of a connection that does not take what it is sent.
 *
 *     waiting     0 ────────── outboxSizeMax ────────── twice that
 *                 │  all goes  │  its consumers are held │  its requests are not read either
 *                 └─ nothing taken for outboxStallMs: it is given up ──────────────────────▶
 *
 * A slow reader costs itself, not the others: its deliveries stay in their queues. Settlements are read all the time; only answers to
 * requests can bring it to the second mark, as deliveries stop at the first. [P-7.3]
 */
import type { Timed, Timers } from '../broker/timers/timed.js'
import type { Transport } from '../ports/transport.js'
import { GateReason, type ReadGate } from './read-gate.js'

export interface CongestionHome {
  readonly transport: Transport
  readonly gate: ReadGate
  /** `held` is another: consumers get nothing more, or again. */
  holdChanged(): void
  /** It is read again: look at what has come before. */
  readLater(): void
  /** It took nothing for so long. */
  stalled(): void
}

export interface CongestionLimits {
  readonly outboxSizeMax: number
  readonly outboxStallMs: number
}

export class Congestion implements Timed {
  held = false
  /** Its requests are not read. */
  isDeaf = false
  /** Bytes of records that may be gathered before consumers are held. */
  roomSize: number
  readonly #home: CongestionHome
  readonly #timers: Timers
  readonly #limits: CongestionLimits
  #timer = 0
  #takenSize = 0

  constructor(home: CongestionHome, timers: Timers, limits: CongestionLimits) {
    this.#home = home
    this.#timers = timers
    this.#limits = limits
    this.roomSize = limits.outboxSizeMax
  }

  /** As much as fits has been gathered in this turn. */
  full(): void {
    this.#hold(true)
  }

  /** Something was given to the transport, or it has taken something. */
  look(now: number): void {
    const { transport } = this.#home
    const { outboxSizeMax, outboxStallMs } = this.#limits
    const pending = transport.pendingSize
    this.roomSize = Math.max(0, outboxSizeMax - pending)
    if (pending >= outboxSizeMax) this.#hold(true)
    else if (pending <= outboxSizeMax / 2) this.#hold(false)
    if (pending >= 2 * outboxSizeMax) this.#deafen(true)
    else if (pending <= outboxSizeMax) this.#deafen(false)
    if (pending > 0 && this.#timer === 0) {
      this.#takenSize = transport.takenSize
      this.#timer = this.#timers.insert(now + outboxStallMs, this, 0)
    }
  }

  due(_value: number, now: number): void {
    const { transport } = this.#home
    this.#timer = 0
    if (transport.pendingSize === 0) return
    if (transport.takenSize > this.#takenSize) this.look(now)
    else this.#home.stalled()
  }

  stop(): void {
    if (this.#timer !== 0) this.#timers.cancel(this.#timer)
    this.#timer = 0
    // What is still to come is read, and thrown away: an unread byte would turn the end into a reset.
    this.#deafen(false)
  }

  #deafen(isDeaf: boolean): void {
    if (isDeaf === this.isDeaf) return
    this.isDeaf = isDeaf
    if (isDeaf) this.#home.gate.close(GateReason.congestion)
    else {
      this.#home.gate.open(GateReason.congestion)
      this.#home.readLater()
    }
  }

  #hold(held: boolean): void {
    if (held === this.held) return
    this.held = held
    this.#home.holdChanged()
  }
}
